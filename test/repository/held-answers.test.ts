import { expect, test } from 'vitest'
import { createHeldAnswers } from '../../src/repository/held-answers.ts'

function held() {
  let time = 1_000_000
  const answers = createHeldAnswers({ holdFor: 10, longestHold: 60, now: () => time })
  const insteadOf = (key: string, best: string, since = time) => answers.insteadOf(key, best, since)
  return { ...answers, insteadOf, at: (ms: number) => void (time = 1_000_000 + ms) }
}

test('an answer is held as long as it was given lately', () => {
  const answers = held()
  expect(answers.insteadOf('a', 'new')).toBeUndefined()
  answers.give('a', 'old')
  answers.at(9)
  expect(answers.insteadOf('a', 'new')).toBe('old')
  answers.give('a', 'old')
  answers.at(18)
  expect(answers.insteadOf('a', 'new')).toBe('old')
  answers.at(28)
  expect(answers.insteadOf('a', 'new')).toBeUndefined()
})

test('a better one that is seen for long enough ends it', () => {
  const answers = held()
  answers.give('a', 'old')
  const told = Array.from({ length: 8 }, (_, index) => {
    answers.at(5 + index * 9)
    const tag = answers.insteadOf('a', 'new')
    if (tag !== undefined) answers.give('a', tag)
    return tag
  })
  expect(told).toEqual([...Array.from({ length: 7 }, () => 'old'), undefined])
})

test('a better one that went away again does not count', () => {
  const answers = held()
  answers.give('a', 'old')
  expect(answers.insteadOf('a', 'new')).toBe('old')
  for (let ms = 5; ms <= 55; ms += 5) {
    answers.at(ms)
    expect(answers.insteadOf('a', 'old')).toBeUndefined()
    answers.give('a', 'old')
  }
  answers.at(63)
  expect(answers.insteadOf('a', 'new')).toBe('old')
})

test('a clock that is set back ends it', () => {
  const answers = held()
  answers.give('a', 'old')
  answers.at(-1)
  expect(answers.insteadOf('a', 'new')).toBeUndefined()
})

test('a better one counts from when its list came, not from when it was seen', () => {
  const answers = held()
  answers.give('a', 'old')
  answers.at(9)
  expect(answers.insteadOf('a', 'new', 1_000_000 - 50)).toBe('old')
  answers.give('a', 'old')
  answers.at(11)
  expect(answers.insteadOf('a', 'new')).toBeUndefined()
})
