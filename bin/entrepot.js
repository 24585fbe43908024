#!/usr/bin/env node
// The launcher. Plain JavaScript that even Node 20 runs: it finds a Node that is new enough for the sources (or installs the
// npm package `node`, pinned, into the ignored folder .node), installs the dependencies where they are missing or older than
// the lock file, and then starts the daemon, or with `--run COMMAND ...` a development command, under that Node.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const oldestMajor = 24
const pinnedNode = '26.10.0'
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const published = join(root, 'dist', 'main.js')

const node = newEnough(process.versions.node) ? process.execPath : installedNode()
process.env.PATH = dirname(node) + delimiter + join(root, 'node_modules', '.bin') + delimiter + process.env.PATH
if (!existsSync(published)) installDependencies()
run(...program(process.argv.slice(2)))

function program(args) {
  if (args[0] === '--run') return [args[1], args.slice(2), []]
  const main = existsSync(published) ? published : join(root, 'src', 'main.ts')
  const flags = ['--disable-proto=throw', '--disallow-code-generation-from-strings', '--max-old-space-size=256']
  return [node, [...flags, main, ...args], ['ipc']]
}

function installedNode() {
  const folder = join(root, '.node')
  const binary = join(folder, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  if (existsSync(binary) && versionOf(binary) === pinnedNode) return binary
  console.error(`entrepot: this machine's Node is ${process.versions.node}; installing Node ${pinnedNode} into .node`)
  mkdirSync(folder, { recursive: true })
  const manifest = { private: true, allowScripts: { [`node@${pinnedNode}`]: true } }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  npm(process.execPath, ['install', '--prefix', folder, '--save-exact', `node@${pinnedNode}`])
  return versionOf(binary) === pinnedNode
    ? binary
    : fail(`Node ${pinnedNode} did not install. Install Node ${oldestMajor} or newer yourself and try again.`)
}

function installDependencies() {
  const installed = join(root, 'node_modules', '.package-lock.json')
  const lock = join(root, 'package-lock.json')
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return
  console.error('entrepot: installing dependencies')
  npm(node, ['ci', '--prefix', root])
}

function npm(runtime, args) {
  const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error']
  const result = spawnSync(runtime, [npmScript(), ...args, ...quiet], { cwd: root, stdio: ['ignore', 2, 2] })
  if (result.status !== 0) fail(`npm ${args[0]} failed. Its own message is above.`)
}

// The npm that ran us, else the one beside this machine's own Node.
function npmScript() {
  const prefix = dirname(dirname(process.execPath))
  const candidates = [
    process.env.npm_execpath,
    join(prefix, 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    join(dirname(process.execPath), 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    '/usr/share/nodejs/npm/bin/npm-cli.js',
  ]
  const found = candidates.find((path) => path?.endsWith('.js') && existsSync(path))
  return found ?? fail('npm was not found. Install it beside Node and try again.')
}

function versionOf(binary) {
  const result = spawnSync(binary, ['--version'], { encoding: 'utf8' })
  return result.status === 0 ? result.stdout.trim().slice(1) : undefined
}

function newEnough(version) {
  return Number(version.split('.')[0]) >= oldestMajor
}

// Signals go on to the child, and its end becomes ours, so that a supervisor sees one process. A kill -9 cannot be passed on: nothing is
// ever said over the channel, but the kernel closes it with us, and the daemon ends (src/commands/drain.ts).
function run(command, args, channel) {
  const child = spawn(command, args, { stdio: ['inherit', 'inherit', 'inherit', ...channel] })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => fail(`${command}: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}

function fail(message) {
  console.error(`entrepot: ${message}`)
  process.exit(1)
}
