// Adapts contracts and params to Moleculer's REPL.
import { z } from "zod";

/** An action's `params` for the REPL's command `actions`, which prints their names. Moleculer does not validate with them: the contract does. */
export const paramNames = (schema: z.ZodType): Record<string, "any"> =>
	schema instanceof z.ZodObject ? Object.fromEntries(Object.keys(schema.shape).map(name => [name, "any" as const])) : {};

/** The value in the type that the contract wants, if its text can be read as such; otherwise the value itself. */
function convert(value: unknown, expected: string): unknown {
	if (expected === "string" && typeof value === "number") return String(value);
	const isNumeric = typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value));
	return expected === "number" && isNumeric ? Number(value) : value;
}

/**
 * The params of a call from the REPL, which guesses types by the look of a value: `--user_id 123` arrives as a number, `--amount 1.50` as text.
 * Converts these values where the contract wants the other type.
 */
export function fromRepl(params: unknown, schema: z.ZodType): unknown {
	const mistyped = (schema.safeParse(params).error?.issues ?? []).filter(issue => issue.code === "invalid_type");
	if (mistyped.length === 0) return params;
	const converted = structuredClone(params);
	for (const { expected, path } of mistyped) {
		const field = path.at(-1);
		const parent = path.slice(0, -1).reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown>)[key], converted);
		if (field === undefined || typeof parent !== "object" || parent === null) continue;
		const fields = parent as Record<PropertyKey, unknown>;
		fields[field] = convert(fields[field], expected);
	}
	return converted;
}
