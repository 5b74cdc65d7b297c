// Prints what credit-card-type says of every eight leading digits, one stretch a line: from, to, scheme.
// The table of card ranges is compared with it: see `make brands`.
import creditCardType from 'credit-card-type'

const names = { 'american-express': 'AMEX', 'diners-club': 'DINERS' }
const pad = (n, fill) => Number(String(n).padEnd(8, fill))

const starts = new Set([0])
for (const name of Object.values(creditCardType.types)) {
  for (const pattern of creditCardType.getTypeInfo(name).patterns) {
    const [from, to] = [pattern].flat().length === 2 ? pattern : [pattern, pattern]
    starts.add(pad(from, '0'))
    starts.add(pad(to, '9') + 1)
  }
}

const bounds = [...starts].filter((n) => n < 1e8).sort((a, b) => a - b)
bounds.forEach((from, i) => {
  const found = creditCardType(String(from).padStart(8, '0'))
  const scheme = found.map(({ type }) => names[type] ?? type.toUpperCase()).join(',')
  const to = (bounds[i + 1] ?? 1e8) - 1
  console.log([from, to].map((n) => String(n).padStart(8, '0')).concat(scheme || '-').join('\t'))
})
