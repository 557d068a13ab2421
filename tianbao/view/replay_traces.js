// The traces of chosen cells over time: voltages above, activations below, with a cursor at the moment shown.

// Okabe and Ito (2008), told apart by colour-blind readers; lighter on a dark page.
const ON_LIGHT = ['#0072b2', '#d55e00', '#009e73', '#b0558c', '#9a6a00', '#3a8fc4'];
const ON_DARK = ['#56b4e9', '#e69f00', '#2fc497', '#e3a1c6', '#f0e442', '#8fa9ff'];

function niceStep(span, count) {
  const raw = span / Math.max(1, count), power = 10 ** Math.floor(Math.log10(raw));
  return power * [1, 2, 5, 10].find(each => each * power >= raw * 0.999);
}

function ticks(low, high, count) {
  const step = niceStep(high - low, count), found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(k * step);
  return found.map(each => [each, each.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)))]);
}

class Traces {
  constructor(canvas, onSeek) {
    this.canvas = canvas;
    this.span = [0, 1];
    const seek = event => {
      if (!event.buttons && event.type === 'pointermove') return;
      const [left, right] = this.sides(), x = event.clientX - canvas.getBoundingClientRect().left;
      onSeek(this.span[0] + (this.span[1] - this.span[0]) * Math.min(1, Math.max(0, (x - left) / (right - left))));
    };
    canvas.addEventListener('pointerdown', event => { canvas.setPointerCapture(event.pointerId); seek(event); });
    canvas.addEventListener('pointermove', seek);
  }

  sides() { return [56, this.canvas.clientWidth - 14]; }

  /** Draw; `chosen` are {kind, name, tint, seconds, values} with kind "voltage" or "activation". */
  draw(chosen, now, ink) {
    const pen = sharp(this.canvas), height = this.canvas.clientHeight, [left, right] = this.sides();
    const kinds = [['voltage', 'V [mV]'], ['activation', 'activation']].filter(([kind]) => chosen.some(each => each.kind === kind));
    pen.font = '11px system-ui, sans-serif';
    if (!kinds.length) {
      pen.fillStyle = ink.soft;
      pen.textAlign = 'center';
      pen.fillText('click a neuron or a muscle to see its trace', this.canvas.clientWidth / 2, height / 2);
      return;
    }
    const x = time => left + (right - left) * (time - this.span[0]) / (this.span[1] - this.span[0]);
    const base = height - 30, tall = (base - 8) / kinds.length;
    kinds.forEach(([kind, label], row) => {
      const top = 8 + row * tall, mine = chosen.filter(each => each.kind === kind);
      this.panel(pen, mine, x, [top + 4, top + tall - 6], label, ink, kind === 'activation');
    });
    pen.fillStyle = ink.soft;
    pen.textAlign = 'center';
    ticks(this.span[0], this.span[1], Math.min(10, (right - left) / 70)).forEach(([time, text]) => {
      pen.fillRect(Math.round(x(time)), base, 1, 4);
      pen.fillText(text, x(time), base + 14);
    });
    pen.fillText('time [s]', (left + right) / 2, height - 3);
    pen.fillStyle = ink.ink;
    pen.fillRect(Math.round(x(now)), 8, 1, base - 8);
  }

  panel(pen, mine, x, [top, bottom], label, ink, whole) {
    let [low, high] = whole ? [0, 1] : [Infinity, -Infinity];
    for (const each of mine) for (const value of each.values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (!(low <= high)) [low, high] = [-80, 0];
    const spare = whole ? 0 : Math.max(0.04 * (high - low), (2 - (high - low)) / 2);
    [low, high] = [low - spare, high + spare];
    const y = value => bottom - (bottom - top) * (value - low) / (high - low), [left, right] = this.sides();
    pen.textAlign = 'right';
    ticks(low, high, (bottom - top) / 20).forEach(([value, text]) => {
      pen.fillStyle = ink.line;
      pen.fillRect(left, Math.round(y(value)), right - left, 1);
      pen.fillStyle = ink.soft;
      pen.fillText(text.replace('-', '\u2212'), left - 6, y(value) + 4);
    });
    pen.save();
    pen.translate(12, (top + bottom) / 2);
    pen.rotate(-Math.PI / 2);
    pen.textAlign = 'center';
    pen.fillText(label, 0, 0);
    pen.restore();
    pen.lineWidth = 1.5;
    for (const each of mine) {
      pen.strokeStyle = ink.tints[each.tint];
      pen.beginPath();
      let down = false; // not over what was not recorded
      each.values.forEach((value, k) => {
        if (!Number.isFinite(value)) down = false;
        else if (down) pen.lineTo(x(each.seconds[k]), y(value));
        else { pen.moveTo(x(each.seconds[k]), y(value)); down = true; }
      });
      pen.stroke();
    }
  }
}

/** A cleared drawing context whose unit is a CSS pixel on a screen of any density. */
function sharp(canvas) {
  const ratio = window.devicePixelRatio || 1, [wide, high] = [canvas.clientWidth, canvas.clientHeight].map(each => Math.round(each * ratio));
  if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
  const pen = canvas.getContext('2d');
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  return pen;
}
