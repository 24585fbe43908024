import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { idleUsers } from '../../src/config/idle.ts'
import { createHome } from './support.ts'

function homeWithUsers() {
  const home = createHome()
  home.write('htpasswd', '')
  return home
}

const access = (...rules: string[]) =>
  `access:\n  htpasswd: htpasswd\n  rules:\n${rules.map((one) => `    - ${one}`).join('\n')}`

/** The warnings of a start, without the folder's name. */
function idleOf(yaml: string): string[] {
  const home = homeWithUsers()
  return home.load(yaml).idle.map((line) => line.replaceAll(`${home.folder}/`, ''))
}

describe('what can never matter is told, with its line', () => {
  test.each([
    [
      'an official image without its namespace',
      access('{ users: [a], repositories: [docker.io/**, docker.io/alpine], actions: [pull] }'),
      'c.yaml:4:50: access.rules[0].repositories[1]: no repository of Docker Hub is called docker.io/alpine: its official images are docker.io/library/alpine',
    ],
    [
      'one component of Docker Hub, by another of its names',
      access("{ users: [a], repositories: ['index.docker.io/*'], actions: [pull] }"),
      'no repository of Docker Hub is called docker.io/*: its official images are docker.io/library/*',
    ],
    [
      'a hosted name that is not hosted',
      access('{ users: [a], repositories: [hosted/team/**], actions: [pull, push] }'),
      'c.yaml:4:36: access.rules[0].repositories[0]: no pattern of "hosted" covers a name like team/**: add one there, or correct this one',
    ],
    [
      'a push to upstreams alone',
      access('{ users: [a], repositories: [ghcr.io/acme/**, quay.io/x], actions: [pull, push, delete] }'),
      'c.yaml:4:65: access.rules[0].actions: allows push and delete where no client can: names of upstreams take neither pushes nor deletes, only hosted/... does',
    ],
    [
      'a push without a pull',
      access(
        '{ users: [b], repositories: [hosted/**], actions: [pull] }',
        '{ users: [b, a], repositories: [hosted/local/**], actions: [push] }',
        '{ users: [a], repositories: [hosted/charts/**], actions: [pull] }',
      ),
      'c.yaml:5:57: access.rules[1].actions: allows push to a on hosted/local/** without pull there, so that it ends in 404: add pull',
    ],
    [
      'a delete of anonymous, who is not among all users',
      access(
        "{ users: ['*'], repositories: ['**'], actions: [pull] }",
        '{ users: [anonymous], repositories: [hosted/local/x], actions: [delete] }',
      ),
      'allows delete to anonymous on hosted/local/x without pull there',
    ],
    [
      'no rule',
      'access: { htpasswd: htpasswd, rules: [] }',
      'c.yaml:1:31: access.rules: has no rule, and what no rule allows is denied: to everybody',
    ],
    [
      'immutable tags of what is not hosted',
      'immutableTags: [local/**, chart/**, charts/*:v*]',
      'c.yaml:1:27: immutableTags[1]: no pattern of "hosted" covers a name like chart/**',
    ],
  ])('%s', (_, yaml, sentence) => {
    expect(idleOf(yaml)).toEqual([expect.stringContaining(sentence)])
  })

  test.each([
    ['nothing at all', ''],
    ['everything', access("{ users: ['*', anonymous], repositories: ['**'], actions: [pull, push, delete] }")],
    [
      'all of Docker Hub',
      access("{ users: [a], repositories: [docker.io/**, docker.io/*/*, '*/x'], actions: [pull] }"),
    ],
    ['one component elsewhere', access('{ users: [a], repositories: [registry.k8s.io/pause], actions: [pull] }')],
    [
      'upstreams beside hosted names',
      access('{ users: [a], repositories: [ghcr.io/**, hosted/local/**], actions: [pull, push] }'),
    ],
    [
      'a pull in a rule for all users, over some of the names',
      access(
        "{ users: ['*'], repositories: [hosted/local/team/*], actions: [pull] }",
        "{ users: [a], repositories: ['hosted/*/team/**'], actions: [push] }",
      ),
    ],
    [
      'a pull of one user, where all may push',
      access(
        '{ users: [a], repositories: [hosted/local/x], actions: [pull] }',
        "{ users: ['*'], repositories: [hosted/local/**], actions: [push] }",
      ),
    ],
    [
      'a narrower pattern than the hosted one',
      access("{ users: [a], repositories: ['hosted/*/app', hosted/charts/a/b], actions: [pull] }"),
    ],
    ['immutable tags of some hosted names', "hosted: ['team/*/app']\nimmutableTags: [team/a/**, '**:v1']"],
  ])('%s is no reason for a warning', (_, yaml) => {
    expect(idleOf(yaml)).toEqual([])
  })
})

test.each(['README.md', 'docs/access.md', 'docs/configuration.md'])('the rules of %s all matter', (page) => {
  const text = readFileSync(join(import.meta.dirname, '..', '..', page), 'utf8')
  const blocks = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml = '']) => yaml)
  const withRules = blocks.filter((yaml) => /^access:/m.test(yaml))
  expect(withRules.length).toBeGreaterThan(0)
  for (const yaml of withRules) {
    const local = yaml.replaceAll(/^tls: .*\n/gm, '').replace(/htpasswd: \S*htpasswd/, 'htpasswd: htpasswd')
    expect([yaml, idleOf(local)]).toEqual([yaml, []])
  }
})

describe('users of rules', () => {
  function toldOf(yaml: string, users: string[]): string[] {
    const home = homeWithUsers()
    const { access: settled } = home.load(yaml)
    if (!settled) throw new Error('there is no access')
    return idleUsers(settled, new Set(users)).map((line) => line.replaceAll(`${home.folder}/`, ''))
  }
  const rules = access(
    "{ users: ['*', anonymous, alice], repositories: ['**'], actions: [pull] }",
    '{ users: [alcie, alice], repositories: [hosted/**], actions: [pull] }',
    '{ users: [alcie], repositories: [hosted/local/**], actions: [pull] }',
  )

  test('who are not in the file are told, each once, where they stand first', () => {
    expect(toldOf(rules, ['alice'])).toEqual([
      'c.yaml:5:17: access.rules[1].users[0]: htpasswd has no user alcie: correct the name, or add the user with entrepot passwd',
    ])
    expect(toldOf(rules, ['alice', 'alcie'])).toEqual([])
  })

  test('a file without any is told once, unless only anonymous is let near', () => {
    expect(toldOf(rules, [])).toEqual([
      'htpasswd holds no user, so that nobody can sign in: entrepot passwd NAME >> htpasswd',
    ])
    expect(toldOf(access("{ users: [anonymous], repositories: ['**'], actions: [pull] }"), [])).toEqual([])
  })
})
