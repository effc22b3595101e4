declare const valueBrand: unique symbol;

/** A value as JSON text in one column. Only toJsonText mints one, so reading it back needs no check. */
export type JsonText<Value> = string & { readonly [valueBrand]: Value };

export function toJsonText<Value>(value: Value): JsonText<Value> {
  return JSON.stringify(value) as JsonText<Value>;
}

export function fromJsonText<Value>(text: JsonText<Value>): Value {
  return JSON.parse(text);
}
