/** Commands as they stand on a page, run by a shell; answers are typed at their prompts, on a terminal. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { toolPath } from '../../support/tools.ts'

export interface ShellOptions {
  /** All of it: nothing of ours is added. */
  env: Record<string, string>
  cwd: string
  /** What to type, one answer a prompt. Without any there is no terminal, and nothing on standard input. */
  answers?: readonly string[]
}

export interface Ended {
  /** `null` after a signal. */
  code: number | null
  /** Standard output and standard error in the order in which they were written; without carriage returns. */
  output: string
}

const prompt = /: ?$/

export async function shell(command: string, { env, cwd, answers = [] }: ShellOptions): Promise<Ended> {
  const [program, args] =
    answers.length === 0
      ? ['/bin/sh', ['-c', `exec 2>&1\n${command}`]]
      : [toolPath('script'), ['--quiet', '--return', '--command', command, '/dev/null']]
  const child = spawn(program, args, { env, cwd, stdio: 'pipe', timeout: 60_000, killSignal: 'SIGKILL' })
  if (answers.length === 0) child.stdin.end()
  const typed = [...answers]
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      const answer = prompt.test(output) ? typed.shift() : undefined
      if (answer !== undefined) child.stdin.write(`${answer}\n`)
    })
  }
  // A command that ends early takes its terminal with it.
  child.stdin.on('error', () => {})
  const [code] = await once(child, 'close')
  return { code: typeof code === 'number' ? code : null, output: unechoed(output.replaceAll('\r', ''), answers) }
}

/** Helm asks before it makes the terminal silent, so that what is typed at once may be shown, with its line break. */
function unechoed(output: string, answers: readonly string[]): string {
  return answers.reduce((text, answer) => text.replace(`: ${answer}\n`, ': '), output)
}
