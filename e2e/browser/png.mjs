// Makes small what a browser's screenshot holds: a PNG of at most 256 colours (https://www.w3.org/TR/png-3/), chosen by how often they
// occur. Pages have few: text on paper, and the shades between.
import { deflateSync, inflateSync } from 'node:zlib'

const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10])

const crcs = Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1
  return n >>> 0
})

function chunk(kind, body) {
  const all = Buffer.concat([Buffer.from(kind, 'latin1'), body])
  let crc = 0xffffffff
  for (const b of all) crc = crcs[(crc ^ b) & 255] ^ (crc >>> 8)
  const head = Buffer.alloc(4), tail = Buffer.alloc(4)
  head.writeUInt32BE(body.length)
  tail.writeUInt32BE((crc ^ 0xffffffff) >>> 0)
  return Buffer.concat([head, all, tail])
}

/** The pixels of a PNG with 8 bits for each of red, green, blue (and alpha), not interlaced: width, height, and 3 bytes a pixel. */
function pixels(png) {
  const data = []
  let width = 0, height = 0, deep = 3
  for (let at = 8; at < png.length;) {
    const size = png.readUInt32BE(at), kind = png.toString('latin1', at + 4, at + 8), body = png.subarray(at + 8, at + 8 + size)
    if (kind === 'IHDR') {
      width = body.readUInt32BE(0)
      height = body.readUInt32BE(4)
      if (body[8] !== 8 || ![2, 6].includes(body[9]) || body[12] !== 0) throw new Error('a PNG of another kind')
      deep = body[9] === 6 ? 4 : 3
    }
    if (kind === 'IDAT') data.push(body)
    at += 12 + size
  }
  const raw = inflateSync(Buffer.concat(data)), line = width * deep, rgb = Buffer.alloc(width * height * 3)
  let before = Buffer.alloc(line)
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (line + 1)], now = Buffer.from(raw.subarray(y * (line + 1) + 1, (y + 1) * (line + 1)))
    for (let x = 0; x < line; x++) {
      const a = x < deep ? 0 : now[x - deep], b = before[x], c = x < deep ? 0 : before[x - deep]
      if (filter === 1) now[x] += a
      else if (filter === 2) now[x] += b
      else if (filter === 3) now[x] += (a + b) >> 1
      else if (filter === 4) {
        const p = a + b - c, pa = Math.abs(p - a), pb = Math.abs(p - b), pc = Math.abs(p - c)
        now[x] += pa <= pb && pa <= pc ? a : pb <= pc ? b : c
      }
    }
    for (let x = 0; x < width; x++) now.copy(rgb, (y * width + x) * 3, x * deep, x * deep + 3)
    before = now
  }
  return { width, height, rgb }
}

/** The same picture with at most `most` colours: those that occur most often and those that stand apart, every other as the nearest of them. */
export function small(png, most = 64) {
  const { width, height, rgb } = pixels(png), count = new Map()
  const at = i => (rgb[3 * i] << 16) | (rgb[3 * i + 1] << 8) | rgb[3 * i + 2]
  for (let i = 0; i < width * height; i++) count.set(at(i), (count.get(at(i)) ?? 0) + 1)
  const far = (a, b) => ((a >> 16) - (b >> 16)) ** 2 + (((a >> 8) & 255) - ((b >> 8) & 255)) ** 2 + ((a & 255) - (b & 255)) ** 2
  const often = [...count].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([c]) => c), kept = often.slice(0, most / 4)
  for (let apart = 1600; kept.length < Math.min(most, often.length); apart >>= 1) { // so that a rare red is not lost among greys
    for (const c of often) if (kept.length < most && !kept.some(k => far(k, c) <= apart)) kept.push(c)
  }
  const index = new Map()
  const nearest = c => {
    if (!index.has(c)) index.set(c, kept.reduce((best, k, i) => (far(k, c) < far(kept[best], c) ? i : best), 0))
    return index.get(c)
  }
  const bits = kept.length <= 16 ? 4 : 8, line = Math.ceil(width * bits / 8) + 1, out = Buffer.alloc(line * height)
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) out[y * line + 1 + (x * bits >> 3)] |= nearest(at(y * width + x)) << (bits === 4 && !(x & 1) ? 4 : 0)
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head.set([bits, 3, 0, 0, 0], 8)
  return Buffer.concat([signature, chunk('IHDR', head), chunk('PLTE', Buffer.from(kept.flatMap(c => [c >> 16, (c >> 8) & 255, c & 255]))), chunk('IDAT', deflateSync(out, { level: 9 })), chunk('IEND', Buffer.alloc(0))])
}
