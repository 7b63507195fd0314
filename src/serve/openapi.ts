/** The OpenAPI 3.1 document of a server, made of what its routes say of themselves: what is not there cannot be asked. */

/** What a route says of itself. */
export interface Operation {
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly description: string;
    readonly required?: boolean;
  }[];
  /** Content types of the body. */
  readonly takes?: readonly string[];
  /** Statuses beside those that every route has: what they mean. 200 may be a schema of JSON. */
  readonly answers: Readonly<Record<number, string>>;
  /** Of the answer's JSON; without, `contentType` says what it is. */
  readonly schema?: object;
  readonly contentType?: string;
}

interface Described {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly access: string;
  readonly about: Operation;
}

/** What any route may answer. */
const REFUSALS: Readonly<Record<number, string>> = {
  401: 'The token is missing or is another.',
  408: 'The request did not arrive in time, or was not answered in time.',
  421: 'The server is not called by that name.',
  429: 'Too many requests; retry-after says when to ask again.',
  500: 'A defect of beltnet.',
};
const REFUSALS_OF_BODIES: Readonly<Record<number, string>> = {
  413: 'The body is too large.',
  503: 'There is no room or time for it now; retry-after says when to ask again.',
};

/** What is wrong is told in one line of text. */
const inText = (description: string): object => ({
  description,
  content: { 'text/plain': { schema: { type: 'string' } } },
});

function operationOf({ method, access, about }: Described): object {
  const { summary, description, parameters = [], takes, answers, schema, contentType } = about;
  const refusals = { ...REFUSALS, ...(method === 'POST' && REFUSALS_OF_BODIES) };
  const { 200: fine = 'Done.', ...others } = answers;
  return {
    summary,
    ...(description !== undefined && { description }),
    ...(access !== 'anybody' && { security: [{ token: [] }] }),
    parameters: parameters.map(({ name, required = false, description: what }) => ({
      name,
      in: 'query',
      required,
      description: what,
      schema: { type: 'string' },
    })),
    ...(takes && {
      requestBody: {
        required: true,
        content: Object.fromEntries(takes.map((type) => [type, { schema: { type: 'string', format: 'binary' } }])),
      },
    }),
    responses: {
      200: {
        description: fine,
        content: schema ? { 'application/json': { schema } } : { [contentType ?? 'text/plain']: {} },
      },
      ...Object.fromEntries(Object.entries({ ...refusals, ...others }).map(([status, what]) => [status, inText(what)])),
    },
  };
}

/** @param version of beltnet */
export function openApi(routes: readonly Described[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operationOf(route);
  return {
    openapi: '3.1.0',
    info: {
      title: 'beltnet',
      version,
      description: 'Verdicts on pictures. What is wrong with a request is told in one line of text.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    paths,
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
  };
}
