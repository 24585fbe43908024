/** Retry-After (RFC 9110 section 10.2.3). */

const longest = 15 * 60

/** Whole seconds from now, 0 to 900; `undefined` where there is none that can be read. `now` is the wall clock in ms, for the date form. */
export function retryAfter(lines: string[], now = Date.now()): number | undefined {
  const text = lines[0]?.trim() ?? ''
  const seconds = /^\d{1,10}$/.test(text) ? Number(text) : secondsUntil(text, now)
  return seconds === undefined ? undefined : Math.min(Math.max(seconds, 0), longest)
}

function secondsUntil(date: string, now: number): number | undefined {
  const at = /^[A-Za-z]{3,9},? /.test(date) ? Date.parse(date) : Number.NaN
  return Number.isNaN(at) ? undefined : Math.ceil((at - now) / 1000)
}
