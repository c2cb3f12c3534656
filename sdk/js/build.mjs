// Builds dist/: a module, a script for pages without modules (window.AIPassport), and types. Says how large the module is.
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

rmSync('dist', { recursive: true, force: true })
const common = { entryPoints: ['src/index.ts'], bundle: true, minify: true, target: 'es2022', legalComments: 'none' }
await build({ ...common, format: 'esm', outfile: 'dist/aipassport.js' })
await build({ ...common, format: 'iife', globalName: 'AIPassport', outfile: 'dist/aipassport.global.js' })
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.'], { stdio: 'inherit' })
const size = gzipSync(readFileSync('dist/aipassport.js'), { level: 9 }).length
console.log(`dist/aipassport.js: ${size} bytes gzipped`)
if (size >= 12_000) throw new Error('the module must stay below 12,000 bytes gzipped')
