"""The part of JSON Schema (2020-12) that docs/metrics.schema.json uses; the package `jsonschema` is not among our requirements."""

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
SAID = {"$schema", "$defs", "title", "description"}  # keywords that check nothing
KNOWN = SAID | {
    "$ref", "additionalProperties", "allOf", "anyOf", "const", "items", "maxItems", "maximum", "minItems", "minimum", "properties",
    "required", "type",
}  # fmt: skip


def faults(value, schema: dict, whole: dict | None = None, at: str = "$") -> list[str]:
    """Where and why a value does not fit; empty when it does.

    Raises:
        ValueError: a keyword that is not understood, which would else be passed over in silence.
    """
    whole = schema if whole is None else whole
    if strange := set(schema) - KNOWN:
        raise ValueError(f"{at}: keywords that are not checked: {sorted(strange)}")
    if "$ref" in schema:
        return faults(value, whole["$defs"][schema["$ref"].removeprefix("#/$defs/")], whole, at)
    found = [f"{at}: {value!r} is not {schema['const']!r}"] if "const" in schema and value != schema["const"] else []
    if "type" in schema and not _is(value, schema["type"]):
        return [*found, f"{at}: expected {schema['type']}, found {value!r:.80}"]
    found += _bounds(value, schema, at)
    if "anyOf" in schema:
        tried = [faults(value, one, whole, at) for one in schema["anyOf"]]
        found += min(tried, key=len) if all(tried) else []
    for one in schema.get("allOf", ()):
        found += faults(value, one, whole, at)
    if isinstance(value, dict):
        found += [f"{at}: no {key!r}" for key in schema.get("required", ()) if key not in value]
        others = schema.get("additionalProperties", True)
        for key, item in value.items():
            part = schema.get("properties", {}).get(key, others)
            if part is False:
                found.append(f"{at}.{key}: not expected")
            elif part is not True:
                found += faults(item, part, whole, f"{at}.{key}")
    if isinstance(value, list) and "items" in schema:
        found += [fault for i, item in enumerate(value) for fault in faults(item, schema["items"], whole, f"{at}[{i}]")]
    return found


def _is(value, types) -> bool:
    types = [types] if isinstance(types, str) else types
    whole = isinstance(value, int) and not isinstance(value, bool)
    if whole and {"integer", "number"} & set(types):
        return True
    if isinstance(value, float):
        return "number" in types or ("integer" in types and value.is_integer())
    return any(isinstance(value, TYPES[name]) for name in types if name in TYPES)


def _bounds(value, schema: dict, at: str) -> list[str]:
    found = []
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        found += [f"{at}: {value} is below {schema['minimum']}"] if value < schema.get("minimum", value) else []
        found += [f"{at}: {value} is above {schema['maximum']}"] if value > schema.get("maximum", value) else []
    if isinstance(value, list):
        found += [f"{at}: too few items"] if len(value) < schema.get("minItems", 0) else []
        found += [f"{at}: too many items"] if len(value) > schema.get("maxItems", len(value)) else []
    return found
