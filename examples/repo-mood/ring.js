// The ring: 28 arcs, each a little stronger than the one before.
const arcs = 28
const space = 'http://www.w3.org/2000/svg'

export function draw(svg) {
  const g = document.createElementNS(space, 'g')
  const at = (turn, r = 146) => `${(160 + r * Math.sin(2 * Math.PI * turn)).toFixed(2)} ${(160 - r * Math.cos(2 * Math.PI * turn)).toFixed(2)}`
  for (let i = 0; i < arcs; i++) {
    const p = document.createElementNS(space, 'path')
    p.setAttribute('d', `M ${at((i + 0.12) / arcs)} A 146 146 0 0 1 ${at((i + 0.88) / arcs)}`)
    p.setAttribute('opacity', (0.35 + (0.65 * i) / (arcs - 1)).toFixed(3))
    g.append(p)
  }
  svg.replaceChildren(g)
}
