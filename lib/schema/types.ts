/** A JSON schema, as an object. */
export interface JsonSchemaObject {
  readonly [keyword: string]: unknown;
}

/**
 * What a schema library such as Zod, Valibot or ArkType gives, by the Standard Schema convention:
 * https://standardschema.dev
 */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
    /** Of libraries that also follow Standard JSON Schema. */
    readonly jsonSchema?: { readonly input: (options: { readonly target: string }) => object };
  };
}

/** A checked value, or what is wrong with it. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** One thing that is wrong with a value, and where. */
export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

type Simplify<T> = { [K in keyof T]: T[K] };

interface TypeNames {
  string: string;
  number: number;
  integer: number;
  boolean: boolean;
  null: null;
}

type Properties<S> = S extends { readonly properties: infer P } ? P : Record<never, never>;
type RequiredKeys<S> = S extends { readonly required: readonly (infer K)[] }
  ? K & keyof Properties<S>
  : never;

type ObjectOf<S> = S extends { readonly properties: object }
  ? Simplify<
      { -readonly [K in RequiredKeys<S>]: FromJsonSchema<Properties<S>[K]> } & {
        -readonly [K in Exclude<keyof Properties<S>, RequiredKeys<S>>]?: FromJsonSchema<Properties<S>[K]>;
      }
    >
  : Record<string, unknown>;

type ByName<S, Name> = Name extends keyof TypeNames
  ? TypeNames[Name]
  : Name extends 'array'
    ? S extends { readonly items: infer Item }
      ? FromJsonSchema<Item>[]
      : unknown[]
    : Name extends 'object'
      ? ObjectOf<S>
      : unknown;

/** The type of the values that a JSON schema allows, as far as its literal type tells. */
export type FromJsonSchema<S> = S extends { readonly const: infer Value }
  ? Value
  : S extends { readonly enum: readonly (infer Value)[] }
    ? Value
    : S extends { readonly anyOf: readonly (infer Option)[] }
      ? FromJsonSchema<Option>
      : S extends { readonly oneOf: readonly (infer Option)[] }
        ? FromJsonSchema<Option>
        : S extends { readonly type: readonly (infer Name)[] }
          ? ByName<S, Name>
          : S extends { readonly type: infer Name }
            ? ByName<S, Name>
            : S extends { readonly properties: object }
              ? ObjectOf<S>
              : unknown;

/** The type of the arguments that a tool's `parameters` describe. */
export type InferArguments<Schema> =
  Schema extends StandardSchema<infer Output>
    ? Output
    : Schema extends undefined
      ? Record<string, never>
      : FromJsonSchema<Schema>;
