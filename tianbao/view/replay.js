// The replay: reads the data of the page, moves the worms in time, and answers to mouse, touch and keys.

const element = name => document.getElementById('replay-' + name);
const TYPES = { int8: Int8Array, int16: Int16Array, int32: Int32Array };

async function decoded(text, listed) {
  const packed = Uint8Array.from(atob(text), each => each.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
  const bytes = await new Response(stream).arrayBuffer();
  return listed.map(({ type, shape, start, scale, offset, differences }) => {
    const count = shape.reduce((a, b) => a * b, 1), whole = new TYPES[type](bytes, start, count);
    if (scale === undefined) return whole;
    const row = count / (shape[0] || 1), values = new Float32Array(count), missing = -(2 ** (8 * whole.BYTES_PER_ELEMENT - 1));
    // Typed arrays wrap around as the differences did.
    if (differences) for (let k = row; k < count; k++) whole[k] += whole[k - row];
    for (let k = 0; k < count; k++) values[k] = whole[k] === missing ? NaN : whole[k] * scale + offset;
    return values;
  });
}

/** Index of the last time that is not later. */
function frameAt(seconds, time) {
  let low = 0, high = seconds.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (seconds[middle] <= time + 1e-9) low = middle; else high = middle - 1;
  }
  return low;
}

class Replay {
  constructor(head, arrays) {
    this.look = head.look;
    this.worms = head.worms.map(worm => ({ ...worm, ...Object.fromEntries(
      ['line', 'dorsal', 'voltage', 'activation'].map(name => [name, arrays[worm[name]]])) }));
    this.anatomy = { ...head.anatomy, ...Object.fromEntries(
      ['neurites', 'pieces', 'owners', 'somata', 'radii', 'muscle', 'muscle_quads', 'muscle_owners', 'skin', 'skin_quads']
        .map(name => [name, arrays[head.anatomy[name]]])) };
    this.chosen = [];
    this.spent = [];
    this.renderer = new THREE.WebGLRenderer({ canvas: element('scene'), antialias: true, alpha: true });
    this.camera = new THREE.OrthographicCamera(-1, 1, 1, -1, -50, 50);
    this.camera.up.set(0, 1, 0);
    this.scene = new THREE.Scene();
    this.grid = new THREE.LineSegments(new THREE.BufferGeometry(), new THREE.LineBasicMaterial({ transparent: true }));
    this.track = new THREE.Line(new THREE.BufferGeometry(), new THREE.LineBasicMaterial({ transparent: true, opacity: 0.8 }));
    this.lines = new THREE.Group(); // pillars and dishes
    this.scene.add(this.grid, this.track, this.lines);
    const shades = { voltage: shadesOf(this.look.voltages), activation: shadesOf(this.look.activations) };
    for (const worm of this.worms) {
      worm.body = new Body(this.anatomy, shades, this.look.unrecorded);
      this.scene.add(worm.body.parts);
    }
    this.traces = new Traces(element('traces'), time => this.seek(time));
    this.listen();
    this.keys();
    this.choose(0);
    this.reset();
  }

  // What is shown

  choose(number) {
    this.worm = this.worms[number];
    this.group = this.worms.filter(each => each.run === this.worm.run);
    this.worms.forEach(each => { each.body.parts.visible = this.group.includes(each); });
    const names = [...this.worm.neurons.map(k => this.anatomy.neurons[k]), ...this.worm.muscles.map(k => this.anatomy.muscles[k])];
    element('names').replaceChildren(...names.map(name => Object.assign(document.createElement('option'), { value: name })));
    element('time').max = this.worm.seconds.length - 1;
    this.traces.span = [Math.min(0, this.worm.seconds[0]), Math.max(...this.worm.seconds.slice(-1), this.worm.seconds[0] + 1e-3)];
    this.chosen = this.chosen.map(each => this.found(each.name, each.tint)).filter(each => each);
    const middles = this.worm.middles, start = middles[0];
    this.track.geometry.setAttribute('position', new THREE.BufferAttribute(
      Float32Array.from(middles.flatMap(each => each.map((value, j) => value - start[j]))), 3));
    this.track.frustumCulled = false;
    this.lines.clear();
    for (const [x, y, radius] of this.worm.obstacles) {
      const round = Array.from({ length: 96 }, (_, k) => new THREE.Vector3(
        x + radius * Math.cos(k * Math.PI / 48) - start[0], y + radius * Math.sin(k * Math.PI / 48) - start[1], 0));
      const line = new THREE.LineLoop(new THREE.BufferGeometry().setFromPoints(round), this.track.material);
      line.frustumCulled = false;
      this.lines.add(line);
    }
    this.seek(this.time || this.worm.seconds[0]);
  }

  seek(time) {
    const seconds = this.worm.seconds;
    this.time = Math.min(seconds[seconds.length - 1], Math.max(seconds[0], time));
    this.frame = frameAt(seconds, this.time);
    this.stale = true;
  }

  /** Trace of a cell of the chosen worm by name; undefined if it was not recorded. */
  found(name, tint) {
    const worm = this.worm;
    for (const [kind, names, cells, seconds] of [['voltage', this.anatomy.neurons, worm.neurons, worm.sampled],
      ['activation', this.anatomy.muscles, worm.muscles, worm.seconds]]) {
      const column = cells.findIndex(k => names[k] === name);
      if (column >= 0) return { kind, name, tint, seconds, values: Array.from(seconds, (_, k) => worm[kind][k * cells.length + column]) };
    }
  }

  toggle(name) {
    const kept = this.chosen.filter(each => each.name !== name);
    if (kept.length === this.chosen.length) {
      const free = ON_LIGHT.findIndex((_, tint) => !kept.some(each => each.tint === tint));
      const made = this.found(name, free < 0 ? kept.shift().tint : free);
      if (made) kept.push(made);
    }
    this.chosen = kept;
    this.stale = true;
  }

  // Drawing

  draw() {
    if (!this.stale) return;
    this.stale = false;
    const style = getComputedStyle(element('stage')), colour = name => style.getPropertyValue(name).trim();
    const dark = matchMedia('(prefers-color-scheme: dark)').matches, body = dark ? '#a79f8f' : '#eae3d3';
    this.ink = { ink: colour('--ink'), soft: colour('--soft'), line: colour('--line'), stage: colour('--stage'), dark, tints: dark ? ON_DARK : ON_LIGHT };
    const origin = this.origin = this.worm.middles[element('follow').checked ? this.frame : 0];
    for (const worm of this.group) {
      const frame = frameAt(worm.seconds, this.time), knots = worm.line.length / worm.seconds.length;
      worm.axis = axisOf(worm.line.subarray(frame * knots, (frame + 1) * knots), worm.dorsal.subarray(frame * knots, (frame + 1) * knots),
        worm.middles[frame].map((value, j) => value - origin[j]));
      worm.body.show(worm.axis, this.levels(worm, 'voltage'), this.levels(worm, 'activation'));
      worm.body.wall.set(body);
      worm.body.skin.forEach(each => { each.visible = element('skin').checked; });
      worm.body.muscles.forEach(each => { each.visible = element('muscles').checked && worm.muscles.length > 0; });
      worm.body.neurites.visible = element('neurites').checked;
    }
    this.layGrid(origin, colour('--grid'));
    this.view();
    this.renderer.render(this.scene, this.camera);
    this.overlay();
    element('clock').textContent = `${this.time.toFixed(2)} s`;
    element('time').value = this.frame;
    this.traces.draw(this.chosen, this.time, this.ink);
    this.list();
    const page = element('stage').parentElement;
    page.dataset.state = 'ready';
    page.dataset.frame = this.frame;
  }

  levels(worm, kind) {
    const [names, cells, seconds] = kind === 'voltage' ? [this.anatomy.neurons, worm.neurons, worm.sampled] : [this.anatomy.muscles, worm.muscles, worm.seconds];
    const [low, high] = kind === 'voltage' ? this.look.voltage : [0, 1], levels = new Float32Array(names.length).fill(-1);
    const row = frameAt(seconds, this.time) * cells.length;
    cells.forEach((cell, k) => {
      const value = worm[kind][row + k];
      if (Number.isFinite(value)) levels[cell] = Math.min(1, Math.max(0, (value - low) / (high - low)));
    });
    return levels;
  }

  layGrid(origin, colour) {
    this.step = niceStep(2 * this.reach, 14);
    const half = Math.ceil(6 * this.reach / this.step), points = [];
    for (let k = -half; k <= half; k++) {
      const at = k * this.step, end = half * this.step;
      points.push(at, -end, 0, at, end, 0, -end, at, 0, end, at, 0);
    }
    this.grid.geometry.setAttribute('position', new THREE.BufferAttribute(Float32Array.from(points), 3));
    // Below the belly of a worm on a surface; it stands still in the world, so it shows how the worm moves.
    const under = this.middle.map((value, j) => value - (origin[j] + value) % this.step);
    this.grid.position.set(under[0], under[1], -0.05);
    this.grid.frustumCulled = false;
    this.grid.material.color.set(colour);
    this.grid.renderOrder = -2;
    this.track.material.color.set(this.shade(this.worm));
    this.track.renderOrder = -1;
    this.track.geometry.setDrawRange(0, this.frame + 1);
    this.lines.position.set(...this.worm.middles[0].map((value, j) => j < 2 ? value - origin[j] : -origin[2]));
    this.track.position.set(...this.worm.middles[0].map((value, j) => value - origin[j] - (j === 2 ? 0.049 : 0)));
  }

  view() {
    const canvas = element('scene'), [wide, high] = [canvas.clientWidth, canvas.clientHeight], ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(wide * ratio) || canvas.height !== Math.round(high * ratio)) {
      this.renderer.setPixelRatio(ratio);
      this.renderer.setSize(wide, high, false);
    }
    const up = this.reach, across = up * wide / Math.max(1, high), [polar, turn] = this.angles, camera = this.camera;
    Object.assign(camera, { left: -across, right: across, top: up, bottom: -up });
    const back = [Math.sin(polar) * Math.sin(turn), -Math.sin(polar) * Math.cos(turn), Math.cos(polar)];
    camera.up.set(-Math.cos(polar) * Math.sin(turn), Math.cos(polar) * Math.cos(turn), Math.sin(polar));
    camera.position.set(...back.map((each, j) => 10 * each + this.middle[j]));
    camera.lookAt(...this.middle);
    camera.updateProjectionMatrix();
    camera.updateMatrixWorld();
  }

  reset() {
    const lengths = this.group.flatMap(worm => [0, worm.seconds.length - 1].flatMap(frame => {
      const knots = worm.line.length / worm.seconds.length, line = worm.line.subarray(frame * knots, (frame + 1) * knots);
      const away = this.group.length > 1 ? worm.middles[frame].map((value, j) => value - this.worm.middles[frame ? this.worm.middles.length - 1 : 0][j]) : [0, 0, 0];
      return Array.from(line, (value, k) => k % 3 < 2 ? Math.abs(value + away[k % 3]) / (k % 3 ? 1 : 1.9) : 0);
    }));
    this.reach = Math.min(2.5, 1.15 * Math.max(0.3, lengths.reduce((a, b) => Math.max(a, b), 0)));
    this.angles = [0.42, 0];
    this.middle = [0, 0, 0];
    this.stale = true;
  }

  screen(point) {
    const canvas = element('over'), at = new THREE.Vector3(...point).project(this.camera);
    return [(at.x + 1) / 2 * canvas.clientWidth, (1 - at.y) / 2 * canvas.clientHeight, at.z];
  }

  // Labels over the scene

  overlay() {
    const pen = sharp(element('over')), canvas = element('over'), [wide, high] = [canvas.clientWidth, canvas.clientHeight];
    pen.font = '12px system-ui, sans-serif';
    pen.lineJoin = 'round';
    const write = (text, x, y, colour) => {
      pen.strokeStyle = this.ink.stage;
      pen.lineWidth = 3;
      pen.strokeText(text, x, y);
      pen.fillStyle = colour;
      pen.fillText(text, x, y);
    };
    for (const each of this.chosen) this.mark(pen, each, write);
    for (const worm of this.group) this.head(pen, worm, write);
    pen.textAlign = 'center';
    // Orthographic: the bar holds at any depth.
    const pixel = high / (2 * this.reach), bar = niceStep(2 * this.reach * wide / high, 9), length = bar * pixel;
    pen.fillStyle = this.ink.ink;
    pen.fillRect(wide - 18 - length, high - 20, length, 3);
    write(bar >= 1 ? `${bar} mm` : `${Math.round(bar * 1e3)} \u00b5m`, wide - 18 - length / 2, high - 26, this.ink.ink);
    const corner = [wide - 46, 46];
    [['x', [1, 0, 0]], ['y', [0, 1, 0]], ['z', [0, 0, 1]]].forEach(([name, way]) => {
      const seen = new THREE.Vector3(...way).transformDirection(this.camera.matrixWorldInverse);
      pen.strokeStyle = this.ink.soft;
      pen.lineWidth = 1.2;
      pen.beginPath();
      pen.moveTo(...corner);
      pen.lineTo(corner[0] + 24 * seen.x, corner[1] - 24 * seen.y);
      pen.stroke();
      if (Math.hypot(seen.x, seen.y) > 0.45) write(name, corner[0] + 33 * seen.x, corner[1] - 33 * seen.y + 4, this.ink.soft);
    });
    pen.textAlign = 'left';
    write(`${this.time.toFixed(2)} s`, 14, 24, this.ink.ink);
    const where = this.worm.middles[this.frame].slice(0, 2).map(each => each.toFixed(2).replace('-0.00', '0.00').replace('-', '\u2212')).join(', ');
    write(`${this.worm.name}: centre at ${where} mm; grid ${+this.step.toPrecision(2)} mm`, 14, 42, this.ink.soft);
  }

  /** The word at the head of a worm, ahead of its nose. */
  head(pen, worm, write) {
    const at = sample => this.screen([0, 1, 2].map(j => worm.axis[3 * sample + j])), [x, y] = at(0), [u, v] = at(8);
    const [forward, down] = unit([x - u, y - v, 0]), several = this.group.length > 1;
    pen.textAlign = forward > 0.4 ? 'left' : forward < -0.4 ? 'right' : 'center';
    write(several ? `head, worm ${worm.number}` : 'head', x + 10 * forward, y + 14 * down + 4, several ? this.shade(worm) : this.ink.soft);
    pen.textAlign = 'left';
  }

  /** The colour of a worm, as far from the background as text must be. */
  shade(worm) {
    const colour = new THREE.Color(worm.colour);
    return this.ink.dark ? `#${colour.lerp(new THREE.Color('#ffffff'), 0.45).getHexString()}` : worm.colour;
  }

  /** A chosen cell in the colour of its trace. */
  mark(pen, each, write) {
    const tint = pen.strokeStyle = this.ink.tints[each.tint];
    const axis = this.worm.axis, anatomy = this.anatomy;
    if (each.kind === 'activation') {
      const [x, y] = this.screen(this.fibre(anatomy.muscles.indexOf(each.name)));
      pen.lineWidth = 2;
      pen.strokeRect(x - 5, y - 5, 10, 10);
      return write(each.name, x + 9, y - 6, tint);
    }
    const cell = anatomy.neurons.indexOf(each.name), pieces = anatomy.pieces;
    pen.lineWidth = 2;
    pen.beginPath();
    for (let k = 0; k < pieces.length; k += 2) {
      if (anatomy.owners[pieces[k]] !== cell) continue;
      pen.moveTo(...this.screen(placedOn(axis, anatomy.neurites, pieces[k])).slice(0, 2));
      pen.lineTo(...this.screen(placedOn(axis, anatomy.neurites, pieces[k + 1])).slice(0, 2));
    }
    pen.stroke();
    const [x, y] = this.screen(placedOn(axis, anatomy.neurites, anatomy.somata[cell]));
    pen.beginPath();
    pen.arc(x, y, 6, 0, 2 * Math.PI);
    pen.stroke();
    write(each.name, x + 9, y - 6, tint);
  }

  /** The middle of a muscle. */
  fibre(muscle, worm = this.worm) {
    const points = [...this.anatomy.muscle_owners.keys()].filter(k => this.anatomy.muscle_owners[k] === muscle);
    return placedOn(worm.axis, this.anatomy.muscle, points[points.length >> 1]);
  }

  list() {
    element('chosen').replaceChildren(...this.chosen.map(each => {
      const item = document.createElement('li'), line = document.createElement('i'), away = document.createElement('button');
      const value = each.values[frameAt(each.seconds, this.time)], digits = each.kind === 'voltage' ? 1 : 3;
      const told = Number.isFinite(value) ? value.toFixed(digits).replace('-', '\u2212') + (each.kind === 'voltage' ? ' mV' : '') : 'not recorded';
      line.style.background = this.ink.tints[each.tint];
      Object.assign(away, { type: 'button', textContent: '\u00d7', title: `remove ${each.name}`, onclick: () => this.toggle(each.name) });
      item.dataset.name = each.name;
      item.append(line, `${each.name} ${told}`, away);
      return item;
    }));
  }

  keys() {
    const [low, high] = this.look.voltage;
    for (const [name, shades, ends] of [['voltages', this.look.voltages, [low.toFixed(0), high.toFixed(0)]], ['activations', this.look.activations, ['0', '1']]]) {
      element(name).style.background = `linear-gradient(to right, ${shades.join(',')})`;
      element(name).nextElementSibling.replaceChildren(...ends.map(each =>
        Object.assign(document.createElement('span'), { textContent: each.replace('-', '\u2212') })));
    }
    element('worm').replaceChildren(...this.worms.map((worm, k) => Object.assign(document.createElement('option'), { value: k, textContent: worm.name })));
    element('worm').disabled = this.worms.length < 2;
  }

  /** The cell under a point of the canvas: a soma, else a neurite, else a muscle on the near side. */
  under(x, y) {
    const anatomy = this.anatomy;
    let best = null;
    const look = (worm, kind, at, points, cellOf, within, penalty) => {
      for (let k = 0; k < points; k++) {
        const point = kind === 'soma' ? anatomy.somata[k] : k, [u, v, depth] = this.screen(placedOn(worm.axis, at, point));
        const gap = Math.hypot(u - x, v - y);
        if (gap < within && (!best || gap + penalty + depth < best.gap)) best = { gap: gap + penalty + depth, worm, kind, cell: cellOf(point) };
      }
    };
    for (const worm of this.group) {
      look(worm, 'soma', anatomy.neurites, anatomy.somata.length, point => anatomy.owners[point], 9, 0);
      if (element('neurites').checked) look(worm, 'neurite', anatomy.neurites, anatomy.owners.length, point => anatomy.owners[point], 4, 20);
      if (element('muscles').checked) look(worm, 'muscle', anatomy.muscle, anatomy.muscle_owners.length, point => anatomy.muscle_owners[point], 8, 40);
    }
    return best && { ...best, name: best.kind === 'muscle' ? anatomy.muscles[best.cell] : anatomy.neurons[best.cell] };
  }

  told(found) {
    const muscle = found.kind === 'muscle', worm = found.worm, cells = muscle ? worm.muscles : worm.neurons, column = cells.indexOf(found.cell);
    const seconds = muscle ? worm.seconds : worm.sampled, value = column < 0 ? NaN : worm[muscle ? 'activation' : 'voltage'][frameAt(seconds, this.time) * cells.length + column];
    const what = muscle ? 'muscle' : this.anatomy.types[found.cell];
    const number = Number.isFinite(value) ? (muscle ? `activation ${value.toFixed(2)}` : `${value.toFixed(1)} mV`).replace('-', '\u2212') : 'not recorded';
    return `${this.group.length > 1 ? `worm ${worm.number}, ` : ''}${found.name}, ${what}: ${number}`;
  }

  // Mouse, touch and keys

  listen() {
    const over = element('over'), tip = element('tip');
    let held = null;
    const place = event => { const box = over.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    over.addEventListener('pointerdown', event => {
      over.setPointerCapture(event.pointerId);
      held = { at: place(event), last: place(event), moved: false };
    });
    over.addEventListener('pointermove', event => {
      const at = place(event);
      if (!held) { this.pointer = at; return; }
      held.moved ||= Math.hypot(at[0] - held.at[0], at[1] - held.at[1]) > 4;
      if (held.moved) this.drag(at[0] - held.last[0], at[1] - held.last[1], event.shiftKey || event.buttons === 2);
      held.last = at;
    });
    over.addEventListener('pointerup', event => {
      if (held && !held.moved) {
        const found = this.under(...place(event));
        if (found && found.worm !== this.worm) { element('worm').value = this.worms.indexOf(found.worm); this.choose(this.worms.indexOf(found.worm)); }
        if (found) this.toggle(found.name);
      }
      held = null;
    });
    over.addEventListener('pointerleave', () => { this.pointer = null; tip.hidden = true; });
    over.addEventListener('contextmenu', event => event.preventDefault());
    over.addEventListener('wheel', event => {
      event.preventDefault();
      this.reach = Math.min(20, Math.max(0.02, this.reach * Math.exp(0.0012 * event.deltaY)));
      this.stale = true;
    }, { passive: false });
    const now = () => { this.stale = true; };
    for (const name of ['follow', 'skin', 'muscles', 'neurites']) element(name).addEventListener('change', now);
    element('reset').addEventListener('click', () => this.reset());
    element('worm').addEventListener('change', event => { this.choose(+event.target.value); this.reset(); });
    element('time').addEventListener('input', event => { this.play(false); this.seek(this.worm.seconds[+event.target.value]); });
    element('play').addEventListener('click', () => this.play(!this.playing));
    element('find').addEventListener('change', event => {
      const name = event.target.value.trim().toUpperCase();
      if (!this.found(name)) { event.target.setCustomValidity(`${name} was not recorded`); event.target.reportValidity(); return; }
      event.target.setCustomValidity('');
      event.target.value = '';
      if (!this.chosen.some(each => each.name === name)) this.toggle(name);
    });
    element('find').addEventListener('input', event => event.target.setCustomValidity(''));
    element('stage').addEventListener('keydown', event => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (event.key === ' ') this.play(!this.playing);
      else if (step) this.seek(this.worm.seconds[Math.min(this.worm.seconds.length - 1, Math.max(0, this.frame + step))]);
      else return;
      event.preventDefault();
    });
    new ResizeObserver(now).observe(element('stage'));
    new ResizeObserver(now).observe(element('traces'));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', now);
  }

  drag(x, y, move) {
    if (move) {
      const pixel = 2 * this.reach / element('over').clientHeight, world = this.camera.matrixWorld.elements;
      this.middle = this.middle.map((value, j) => value - pixel * (x * world[j] - y * world[4 + j]));
    } else this.angles = [Math.min(Math.PI, Math.max(0, this.angles[0] - 0.006 * y)), this.angles[1] - 0.006 * x];
    this.stale = true;
  }

  play(on) {
    this.playing = on;
    this.before = null;
    if (on && this.frame === this.worm.seconds.length - 1) this.seek(this.worm.seconds[0]);
    element('play').textContent = on ? 'pause' : 'play';
    element('play').setAttribute('aria-pressed', on);
  }

  tick(clock) {
    if (this.playing) {
      if (this.before !== null) this.seek(this.time + (clock - this.before) / 1e3 * +element('speed').value);
      this.before = clock;
      this.stale = true;
      if (this.frame === this.worm.seconds.length - 1) this.play(false);
      this.spent = [...this.spent.filter(each => each > clock - 1000), clock];
      element('stage').parentElement.dataset.rate = this.spent.length;
    }
    if (this.pointer) {
      const [x, y] = this.pointer, found = this.under(x, y), tip = element('tip');
      this.pointer = null;
      tip.hidden = !found;
      element('over').classList.toggle('on-cell', Boolean(found));
      if (found) {
        tip.textContent = this.told(found);
        tip.style.transform = `translate(${Math.min(x + 14, element('over').clientWidth - tip.offsetWidth - 6)}px, ${Math.max(4, y - 30)}px)`;
      }
    }
    this.draw();
    requestAnimationFrame(next => this.tick(next));
  }
}

async function start() {
  const box = document.getElementById('replay');
  try {
    const head = JSON.parse(element('head').textContent);
    const made = new Replay(head, await decoded(element('data').textContent, head.arrays));
    // For the console, and for the tests of this page: `tianbao.where('AVAL')` is a place on the screen.
    window.tianbao = {
      seek: time => made.seek(time), trace: name => made.found(name), worms: made.worms.map(each => each.name),
      where: name => {
        const cell = made.anatomy.neurons.indexOf(name), rectangle = element('over').getBoundingClientRect();
        const point = cell < 0 ? made.fibre(made.anatomy.muscles.indexOf(name)) : placedOn(made.worm.axis, made.anatomy.neurites, made.anatomy.somata[cell]);
        const [x, y] = made.screen(point);
        return { x: rectangle.left + x, y: rectangle.top + y, world: point.map((value, j) => value + made.origin[j]) };
      },
    };
    requestAnimationFrame(clock => made.tick(clock));
  } catch (error) {
    box.dataset.state = 'failed';
    element('stage').hidden = true;
    box.prepend(Object.assign(document.createElement('p'), { className: 'note',
      textContent: `The replay cannot be shown by this browser (${error.message}); the pictures below show the same run.` }));
  }
}
start();
