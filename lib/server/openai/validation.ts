import type { FastifyInstance } from 'fastify';
import { RequestError } from '../failures.js';

interface Problem {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string;
}

/** `/stop/0` as clients know it: `stop[0]`. */
function toParam(instancePath: string): string {
  return instancePath
    .slice(1)
    .replaceAll(/\/(\d+)(?=\/|$)/g, '[$1]')
    .replaceAll('/', '.');
}

function textOfTypes(type: unknown): string {
  const names: Readonly<Record<string, string>> = {
    integer: 'a whole number',
    number: 'a number',
    boolean: 'true or false',
    string: 'a string',
    array: 'an array',
    object: 'an object',
  };
  const types = (Array.isArray(type) ? type : [type]).filter((one) => one !== 'null');
  return types.map((one) => names[String(one)] ?? String(one)).join(' or ');
}

function describe({ keyword, params, message }: Problem, param: string): string {
  const where = param === '' ? 'the body' : param;
  if (keyword === 'required') {
    const name = String(params.missingProperty);
    return `Expected the field ${param === '' ? name : `${param}.${name}`}; it is missing.`;
  }
  if (keyword === 'type') return `Expected ${textOfTypes(params.type)} for ${where}.`;
  if (keyword === 'minimum') return `Expected at least ${params.limit} for ${where}.`;
  if (keyword === 'maximum') return `Expected at most ${params.limit} for ${where}.`;
  return `The field ${where} ${message ?? 'is not valid'}.`;
}

/** Tells what is wrong with a body in the words of the rest, and names the field also where it is missing. */
export function explainBadBodies(app: FastifyInstance): void {
  app.setSchemaErrorFormatter((problems) => {
    const [problem] = problems as unknown as readonly Problem[];
    if (problem === undefined)
      return new RequestError('invalid-request', 'invalid_value', 'The body is not valid.');
    const path = toParam(problem.instancePath);
    const param =
      problem.keyword === 'required'
        ? [path, String(problem.params.missingProperty)].filter((part) => part !== '').join('.')
        : path;
    return new RequestError('invalid-request', 'invalid_value', describe(problem, path), {
      ...(param !== '' && { param }),
    });
  });
}
