/** Which IP addresses are on the public internet: the filter against requests that an upstream steers into the local network. */
import { BlockList, isIP } from 'node:net'

/** Not globally reachable, by IANA's registry of special-purpose IPv4 addresses (RFC 6890), and multicast. */
const specialV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]

/** The exceptions inside 2000::/3, the only block that IANA gives out as global unicast. */
const specialV6 = ['2001::/23', '2001:db8::/32', '2620:4f:8000::/48', '3fff::/20']

const special = blockListOf(specialV4, specialV6)

/** `address`: the text form of an IP address, as a resolver gives it; anything else is not public. */
export function isPublicAddress(address: string): boolean {
  const plain = address.replace(/%.*$/, '')
  const family = isIP(plain)
  if (family === 4) return !special.check(plain, 'ipv4')
  if (family === 0) return false
  const words = wordsOf(plain)
  const embedded = embeddedV4(words)
  if (embedded !== undefined) return !special.check(embedded, 'ipv4')
  const [first = 0] = words
  return (first & 0xe000) === 0x2000 && !special.check(plain, 'ipv6')
}

/** The IPv4 address that a packet to this IPv6 address ends up at: v4-mapped, NAT64 (RFC 6052) and 6to4 (RFC 3056). */
function embeddedV4(words: number[]): string | undefined {
  const [first = 0, second = 0, third = 0, , , sixth = 0, seventh = 0, eighth = 0] = words
  const headIsZero = words.slice(0, 5).every((word) => word === 0)
  if (headIsZero && sixth === 0xffff) return dotted(seventh, eighth)
  const isNat64 = first === 0x64 && second === 0xff9b && words.slice(2, 6).every((word) => word === 0)
  if (isNat64) return dotted(seventh, eighth)
  return first === 0x2002 ? dotted(second, third) : undefined
}

function dotted(high: number, low: number): string {
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
}

/** The eight 16-bit words of a valid IPv6 address. */
function wordsOf(address: string): number[] {
  const [head = '', tail] = address.split('::')
  const left = wordsIn(head)
  if (tail === undefined) return left
  const right = wordsIn(tail)
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right]
}

function wordsIn(part: string): number[] {
  if (part === '') return []
  return part.split(':').flatMap((word) => {
    if (!word.includes('.')) return [Number.parseInt(word, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = word.split('.').map(Number)
    return [(a << 8) | b, (c << 8) | d]
  })
}

function blockListOf(v4: string[], v6: string[]): BlockList {
  const list = new BlockList()
  const add = (family: 'ipv4' | 'ipv6') => (subnet: string) => {
    const [net = '', bits = ''] = subnet.split('/')
    list.addSubnet(net, Number(bits), family)
  }
  v4.forEach(add('ipv4'))
  v6.forEach(add('ipv6'))
  return list
}
