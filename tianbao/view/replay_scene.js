// The worms in WebGL. Everything is placed on the graphics card: a texture holds the body axis of the moment (its place,
// and unit vectors to dorsal and to the right), and every vertex knows its place in the straightened body.

const SAMPLES = 193;
const WALL = 0, MUSCLE_FAR = 1, NERVE = 2, MUSCLE_NEAR = 3, SKIN = 4;

const PLACE = `
precision highp float; precision highp sampler2D;
uniform sampler2D axis;
vec3 along(float s, int row) {
  float x = clamp(s, 0.0, 1.0) * ${(SAMPLES - 1).toFixed(1)}, i = min(floor(x), ${(SAMPLES - 2).toFixed(1)});
  vec3 low = texelFetch(axis, ivec2(int(i), row), 0).xyz, high = texelFetch(axis, ivec2(int(i) + 1, row), 0).xyz;
  return mix(low, high, x - i);
}
vec3 placed(vec3 at) { return along(at.x, 0) + at.y * normalize(along(at.x, 1)) + at.z * normalize(along(at.x, 2)); }
uniform sampler2D values; uniform sampler2D shades; uniform vec3 unknown;
vec4 shade(float cell) {
  float value = texelFetch(values, ivec2(int(cell + 0.5), 0), 0).x;
  return value < -0.5 ? vec4(unknown, 0.0) : vec4(texture(shades, vec2(clamp(value, 0.004, 0.996), 0.5)).rgb, value);
}`;

// Surfaces: which of their sides faces the viewer is told by the direction out of the body.
const SURFACE = {
  vertexShader: `${PLACE}
in vec3 at; in float cell; uniform bool coloured; uniform vec3 plain;
out vec3 tint; out vec3 outward; out float level;
void main() {
  vec3 point = placed(at);
  vec4 shown = coloured ? shade(cell) : vec4(plain, 1.0);
  tint = shown.rgb; level = shown.a;
  outward = normalMatrix * (point - along(at.x, 0) + 1e-7);
  gl_Position = projectionMatrix * modelViewMatrix * vec4(point, 1.0);
}`,
  fragmentShader: `precision highp float;
in vec3 tint; in vec3 outward; in float level; out vec4 colour;
uniform bool near; uniform float least; uniform float rim; uniform float glow;
void main() {
  float facing = normalize(outward).z;
  if (near != (facing > 0.0)) discard;
  float edge = 1.0 - abs(facing);
  float alpha = near ? least + rim * edge * edge * edge + glow * level : 1.0;
  colour = vec4(tint * (near ? 1.0 - 0.5 * edge : 0.82 + 0.18 * abs(facing)), alpha);
}`,
};
const SOMA = {
  vertexShader: `${PLACE}
in vec3 at; in float cell; in float radius; out vec3 tint; out vec3 outward;
void main() {
  tint = shade(cell).rgb; outward = normalMatrix * position;
  gl_Position = projectionMatrix * modelViewMatrix * vec4(placed(at) + radius * position, 1.0);
}`,
  fragmentShader: `precision highp float;
in vec3 tint; in vec3 outward; out vec4 colour;
void main() { colour = vec4(tint * (0.62 + 0.38 * normalize(outward).z), 1.0); }`,
};
const NEURITE = {
  vertexShader: `${PLACE}
in vec3 at; in float cell; out vec4 tint;
void main() {
  vec4 shown = shade(cell); tint = vec4(shown.rgb, shown.a > 0.0 ? 0.95 : 0.35);
  gl_Position = projectionMatrix * modelViewMatrix * vec4(placed(at), 1.0);
}`,
  fragmentShader: `precision highp float;
in vec4 tint; out vec4 colour; void main() { colour = tint; }`,
};

function floats(data, width, height, format) {
  const texture = new THREE.DataTexture(data, width, height, format, THREE.FloatType);
  texture.needsUpdate = true;
  return texture;
}

function shadesOf(colours) {
  const data = new Uint8Array(4 * colours.length);
  colours.forEach((each, k) => data.set([1, 3, 5].map(i => parseInt(each.slice(i, i + 2), 16)).concat(255), 4 * k));
  const texture = new THREE.DataTexture(data, colours.length, 1, THREE.RGBAFormat);
  texture.magFilter = texture.minFilter = THREE.LinearFilter;
  texture.needsUpdate = true;
  return texture;
}

/** One worm's meshes; `axis` holds its body axis relative to the origin of the scene. */
class Body {
  constructor(anatomy, shades, unknown) {
    this.axis = floats(new Float32Array(4 * 3 * SAMPLES), SAMPLES, 3, THREE.RGBAFormat);
    this.voltage = floats(new Float32Array(anatomy.neurons.length).fill(-1), anatomy.neurons.length, 1, THREE.RedFormat);
    this.activation = floats(new Float32Array(anatomy.muscles.length).fill(-1), anatomy.muscles.length, 1, THREE.RedFormat);
    this.parts = new THREE.Group();
    this.wall = new THREE.Color();
    const grey = new THREE.Color(unknown);
    const material = (shader, values, colours, more) => new THREE.ShaderMaterial({
      ...shader, glslVersion: THREE.GLSL3, side: THREE.DoubleSide,
      uniforms: { axis: { value: this.axis }, values: { value: values }, shades: { value: colours },
        unknown: { value: grey }, ...more },
    });
    const surface = (near, coloured, least, rim, glow) => material(SURFACE, this.activation, shades.activation, {
      near: { value: near }, coloured: { value: coloured }, plain: { value: this.wall }, least: { value: least },
      rim: { value: rim }, glow: { value: glow },
    });
    const mesh = (geometry, made, order, Kind = THREE.Mesh) => {
      const part = new Kind(geometry, made);
      part.frustumCulled = false; // its vertices are placed by the graphics card
      part.renderOrder = order;
      made.transparent = order >= MUSCLE_NEAR || Kind === THREE.LineSegments;
      made.depthWrite = !made.transparent;
      this.parts.add(part);
      return part;
    };
    const skin = patches(anatomy.skin, anatomy.skin_quads), muscle = patches(anatomy.muscle, anatomy.muscle_quads, anatomy.muscle_owners);
    this.skin = [mesh(skin, surface(false, false, 1, 0, 0), WALL), mesh(skin, surface(true, false, 0.05, 0.55, 0), SKIN)];
    this.muscles = [mesh(muscle, surface(false, true, 1, 0, 0), MUSCLE_FAR),
      mesh(muscle, surface(true, true, 0.06, 0, 0.38), MUSCLE_NEAR)];
    this.somata = mesh(spheres(anatomy), material(SOMA, this.voltage, shades.voltage), NERVE);
    this.neurites = mesh(lines(anatomy), material(NEURITE, this.voltage, shades.voltage), NERVE, THREE.LineSegments);
  }

  /** Take an axis, shape (3, SAMPLES, 3), and values between 0 and 1, -1 where unknown. */
  show(axis, voltage, activation) {
    const data = this.axis.image.data;
    for (let k = 0; k < 3 * SAMPLES; k++) data.set(axis.subarray(3 * k, 3 * k + 3), 4 * k);
    this.voltage.image.data.set(voltage);
    this.activation.image.data.set(activation);
    this.axis.needsUpdate = this.voltage.needsUpdate = this.activation.needsUpdate = true;
  }
}

function patches(at, quads, owners) {
  const geometry = new THREE.BufferGeometry(), index = new Uint32Array(quads.length / 4 * 6);
  for (let k = 0; k < quads.length / 4; k++) {
    const [a, b, c, d] = quads.subarray(4 * k, 4 * k + 4);
    index.set([a, b, c, a, c, d], 6 * k);
  }
  geometry.setIndex(new THREE.BufferAttribute(index, 1));
  geometry.setAttribute('at', new THREE.BufferAttribute(at, 3));
  geometry.setAttribute('cell', new THREE.BufferAttribute(Float32Array.from(owners || new Uint8Array(at.length / 3)), 1));
  geometry.setAttribute('position', geometry.attributes.at);
  return geometry;
}

function spheres(anatomy) {
  const ball = new THREE.SphereGeometry(1, 9, 6), geometry = new THREE.InstancedBufferGeometry();
  geometry.index = ball.index;
  geometry.setAttribute('position', ball.attributes.position);
  const at = new Float32Array(3 * anatomy.somata.length);
  anatomy.somata.forEach((point, k) => at.set(anatomy.neurites.subarray(3 * point, 3 * point + 3), 3 * k));
  geometry.setAttribute('at', new THREE.InstancedBufferAttribute(at, 3));
  geometry.setAttribute('radius', new THREE.InstancedBufferAttribute(anatomy.radii, 1));
  geometry.setAttribute('cell', new THREE.InstancedBufferAttribute(Float32Array.from(anatomy.neurons.keys()), 1));
  geometry.instanceCount = anatomy.somata.length;
  return geometry;
}

function lines(anatomy) {
  const geometry = new THREE.BufferGeometry();
  geometry.setIndex(new THREE.BufferAttribute(Uint32Array.from(anatomy.pieces), 1));
  geometry.setAttribute('at', new THREE.BufferAttribute(anatomy.neurites, 3));
  geometry.setAttribute('cell', new THREE.BufferAttribute(Float32Array.from(anatomy.owners), 1));
  geometry.setAttribute('position', geometry.attributes.at);
  return geometry;
}

/** Place points of the straightened body, (n, 3), on an axis, shape (3, SAMPLES, 3); the same sum as in PLACE. */
function placedOn(axis, at, point) {
  const s = Math.min(1, Math.max(0, at[3 * point])) * (SAMPLES - 1), i = Math.min(Math.floor(s), SAMPLES - 2), f = s - i;
  const row = (k, j) => (1 - f) * axis[3 * (k * SAMPLES + i) + j] + f * axis[3 * (k * SAMPLES + i + 1) + j];
  return [0, 1, 2].map(j => row(0, j) + at[3 * point + 1] * row(1, j) + at[3 * point + 2] * row(2, j));
}

/** The axis of a frame, shape (3, SAMPLES, 3), from knots of midline and dorsal side: a cubic through the knots. */
function axisOf(line, dorsal, shift) {
  const knots = line.length / 3, axis = new Float32Array(9 * SAMPLES), at = (k, j) => line[3 * Math.min(knots - 1, Math.max(0, k)) + j];
  for (let n = 0; n < SAMPLES; n++) {
    const x = n / (SAMPLES - 1) * (knots - 1), i = Math.min(Math.floor(x), knots - 2), f = x - i;
    const place = [], way = [], side = [];
    for (let j = 0; j < 3; j++) {
      const [b, c] = [at(i, j), at(i + 1, j)];
      const p = i > 0 ? (c - at(i - 1, j)) / 2 : c - b - (at(i + 2, j) - 2 * c + b) / 2;
      const q = i < knots - 2 ? (at(i + 2, j) - b) / 2 : c - b + (c - 2 * b + at(i - 1, j)) / 2;
      const u = 3 * (c - b) - 2 * p - q, v = p + q - 2 * (c - b);
      place.push(b + f * (p + f * (u + f * v)) + shift[j]);
      way.push(p + f * (2 * u + f * 3 * v));
      side.push((1 - f) * dorsal[3 * i + j] + f * dorsal[3 * (i + 1) + j]);
    }
    const t = unit(way), dot = t[0] * side[0] + t[1] * side[1] + t[2] * side[2];
    const d = unit(side.map((each, j) => each - dot * t[j]));
    axis.set(place, 3 * n);
    axis.set(d, 3 * (SAMPLES + n));
    axis.set([d[1] * t[2] - d[2] * t[1], d[2] * t[0] - d[0] * t[2], d[0] * t[1] - d[1] * t[0]], 3 * (2 * SAMPLES + n));
  }
  return axis;
}

function unit(v) {
  const length = Math.hypot(v[0], v[1], v[2]) || 1;
  return v.map(each => each / length);
}
