/** Writes chat templates at random: nested statements, filters, macros and loops, with arguments at odd values. */
import type { Random } from '../../../test/helpers/gguf-random.js';
import { filters, methods, names, numbers, operators, tests, texts } from './jinja-words.js';

class JinjaWriter {
  readonly #random: Random;
  #statements = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  body(depth: number): string {
    const count = this.#random.pick([1, 1, 2, 2, 3, 4]);
    return Array.from({ length: count }, () => this.#statement(depth)).join(
      this.#random.pick(['', '\n', 'text']),
    );
  }

  #open(): string {
    return this.#random.next() < 0.2 ? '{%-' : '{%';
  }

  #tag(content: string): string {
    return `${this.#open()} ${content} ${this.#random.next() < 0.2 ? '-%}' : '%}'}`;
  }

  #statement(depth: number): string {
    const random = this.#random;
    if (depth > 4 || ++this.#statements > 40) return `{{ ${this.#expression(3)} }}`;
    const inner = () => this.body(depth + 1);
    const expression = () => this.#expression(1);
    const name = () => random.pick(['x', 'y', 'm', 'ns']);
    return random.pick<() => string>([
      () => `{{ ${expression()} }}`,
      () => `{{ ${expression()} }}`,
      () => `{{- ${expression()} -}}`,
      () =>
        this.#tag(`if ${expression()}`) +
        inner() +
        (random.next() < 0.4 ? this.#tag(`elif ${expression()}`) + inner() : '') +
        (random.next() < 0.4 ? this.#tag('else') + inner() : '') +
        this.#tag('endif'),
      () => this.#loop(inner),
      () => this.#loop(inner),
      () => this.#tag(`set ${name()} = ${expression()}`),
      () =>
        this.#tag(`set ns = namespace(value=${expression()})`) + this.#tag(`set ns.value = ${expression()}`),
      () => this.#tag(`set ${name()}`) + inner() + this.#tag('endset'),
      () => this.#macro(inner),
      () => this.#tag(`filter ${random.pick(filters)}`) + inner() + this.#tag('endfilter'),
      () => this.#tag('call m(1)') + inner() + this.#tag('endcall'),
      () => this.#tag('generation') + inner() + this.#tag('endgeneration'),
      () =>
        this.#tag(
          random.pick([
            'break',
            'continue',
            'endif',
            'raw',
            'include "a"',
            'import "b"',
            'block z',
            'do x',
            'with x = 1',
            'endfor',
            'else',
          ]),
        ),
      () => `{# ${random.pick(['comment', '{{', '%}'])} #}`,
      () => random.pick(['text', '\u4f60', '{', '}}', '{{', '%}', '\0', '\n\n']),
    ])();
  }

  #loop(inner: () => string): string {
    const random = this.#random;
    const target = random.pick(['message', 'message', 'x', 'x, y', 'k, v', '(a, b)']);
    const condition = random.next() < 0.15 ? ` if ${this.#expression(2)}` : '';
    const recursion = random.next() < 0.05 ? ' recursive' : '';
    const source = random.pick([
      'messages',
      'messages',
      'tools',
      `range(${random.pick(numbers)})`,
      `range(${random.pick(numbers)}, ${random.pick(numbers)}, ${random.pick(numbers)})`,
      this.#expression(2),
    ]);
    const other = random.next() < 0.15 ? this.#tag('else') + inner() : '';
    return (
      this.#tag(`for ${target} in ${source}${condition}${recursion}`) + inner() + other + this.#tag('endfor')
    );
  }

  #macro(inner: () => string): string {
    const random = this.#random;
    const parameters = random.pick(['', 'x', 'x, y', "x, y='d'", 'x=1, y=2', '*x', '**x']);
    const call = random.pick([
      'm()',
      'm(1)',
      'm(1, 2)',
      'm(y=1)',
      'm(1, 2, 3)',
      'm(m)',
      'm(m(m(1)))',
      'm(**x)',
      'm(*x)',
    ]);
    const body = random.next() < 0.2 ? `{{ ${call} }}` : inner();
    return [this.#tag(`macro m(${parameters})`), body, this.#tag('endmacro'), `{{ ${call} }}`].join('');
  }

  #expression(depth: number): string {
    const random = this.#random;
    if (depth > 4) return random.pick([random.pick(names), random.pick(numbers), random.pick(texts)]);
    const inner = () => this.#expression(depth + 1);
    return random.pick<() => string>([
      () => random.pick(names),
      () => random.pick(names),
      () => random.pick(numbers),
      () => random.pick(texts),
      () => `${inner()} ${random.pick(operators)} ${inner()}`,
      () => `${inner()} ${random.pick(operators)} ${inner()}`,
      () => `(${inner()})`,
      () => `${inner()} | ${random.pick(filters)}`,
      () => `${inner()} | ${random.pick(filters)}`,
      () => `${inner()} is ${random.pick(['', 'not '])}${random.pick(tests)}`,
      () => `${random.pick(names)}.${random.pick(methods)}`,
      () => `(${inner()}).${random.pick(methods)}`,
      () => `${random.pick(texts)}.${random.pick(methods)}`,
      () => `${random.pick(names)}[${inner()}]`,
      () =>
        `(${inner()})[${random.pick(['', random.pick(numbers)])}:${random.pick(['', random.pick(numbers)])}${random.pick(['', `:${random.pick(numbers)}`])}]`,
      () => `[${inner()}, ${inner()}]`,
      () => `{${random.pick(texts)}: ${inner()}}`,
      () => `${inner()} if ${inner()} else ${inner()}`,
      () => `not ${inner()}`,
      () => `-${inner()}`,
      () =>
        `range(${random.pick(numbers)}${random.pick(['', `, ${random.pick(numbers)}`, `, ${random.pick(numbers)}, ${random.pick(numbers)}`])})`,
      () => `raise_exception(${inner()})`,
      () => `strftime_now(${random.pick(texts)})`,
      () => `namespace(${random.pick(['', 'value=1', 'x'])})`,
      () => `m(${inner()})`,
      () => `dict(a=${inner()})`,
      () => `(${inner()}, ${inner()})`,
    ])();
  }
}

/** Templates that grow by one number, in depth, in length or in what they do. */
function extreme(random: Random): string {
  const size = random.pick([10, 50, 99, 101, 400, 1000, 1999, 3000]);
  const big = random.pick(['1000', '99999', '100000', '100001', '10 ** 6', '1e5', '2147483647']);
  return random.pick<() => string>([
    () => `{{ ${'('.repeat(size)}1${')'.repeat(size)} }}`,
    () => `{{ ${'['.repeat(size)}${']'.repeat(size)} }}`,
    () => `{{ ${'not '.repeat(size)}1 }}`,
    () => `{{ ${'-'.repeat(size)}1 }}`,
    () => `{{ 1${' + 1'.repeat(size)} }}`,
    () => `{{ x${'.a'.repeat(size)} }}`,
    () => `{{ 'a'${' | upper'.repeat(size)} }}`,
    () => `{{ 1${' if 1 else 1'.repeat(size)} }}`,
    () => `${'{% if true %}'.repeat(size)}a${'{% endif %}'.repeat(size)}`,
    () => `${'{% for x in [1,2] %}'.repeat(random.pick([5, 15, 25, 40]))}a${'{% endfor %}'.repeat(40)}`,
    () => `{% for x in range(${big}) %}{% for y in range(${big}) %}a{% endfor %}{% endfor %}`,
    () =>
      `{% set ns = namespace(s='aaaaaaaaaa') %}{% for x in range(${random.pick([20, 40, 64])}) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s | length }}`,
    () =>
      `{% set ns = namespace(l=[1]) %}{% for x in range(${random.pick([20, 40])}) %}{% set ns.l = ns.l + ns.l %}{% endfor %}{{ ns.l | length }}`,
    () => `{% set n = ${big} %}{% for x in range(n * n) %}{% endfor %}`,
    () =>
      `{% macro m(x) %}{% if x > 0 %}{{ m(x - 1) }}{% endif %}{% endmacro %}{{ m(${random.pick(['10', '500', '5000', '100000', '-1'])}) }}`,
    () =>
      `{% macro a(x) %}{% if x %}{{ b(x) }}{% endif %}{% endmacro %}{% macro b(x) %}{% if x %}{{ a(x) }}{% endif %}{% endmacro %}{{ a(true) }}`,
    () => `{% set x = [] %}{% set y = x.append(x) %}{{ x }}{{ x | tojson }}`,
    () => `{% set x = {} %}{% set ns = namespace(v=x) %}{% set ns.v = ns %}{{ ns }}{{ ns == ns }}`,
    () => `{% set x = [1] %}{% for y in x %}{% set z = x.append(y) %}{% endfor %}`,
    () => `{% set x = [1] %}{% for y in x %}{% set z = x.pop() %}{% endfor %}{{ x }}`,
    () =>
      `{% set ns = namespace(v=1) %}{% for x in range(${random.pick([60, 2000, 50000])}) %}{% set ns.v = [ns.v] %}{% endfor %}{{ ns.v | tojson | length }}`,
    () => `{{ 'a' * ${big} }}{{ 'abc' | indent(${big}) | length }}`,
    () => `{{ messages | tojson(indent=${big}) | length }}`,
    () => `{{ '%${size}00000d' | format(1) }}`,
    () => `{{ 'a'.replace('', 'b'.replace('', 'c'.replace('', 'd'))) }}`,
    () =>
      `{{ (${random.pick(numbers)} ${random.pick(operators)} ${random.pick(numbers)}) }}{{ -9223372036854775808 // -1 }}{{ -9223372036854775808 % -1 }}`,
    () => `{{ [1,2,3][::0] }}{{ 'abc'[::-1] }}{{ 'abc'[5:1:-2] }}`,
    () => `{{ x.`.padEnd(size, 'a'),
    () => `{{ '${'\\'.repeat(size)}`,
  ])();
}

export function writeTemplate(random: Random): string {
  return random.next() < 0.15 ? extreme(random) : new JinjaWriter(random).body(0);
}
