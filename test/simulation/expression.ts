// As much SQL and Lua as the statements of the relay's lease and the wallet's scripts are made of, so that they themselves run here, and not a copy that
// would go on being right when they are wrong. What it cannot read does not compile, or answers nonsense: either way the simulation fails.

/** The words of an expression as JavaScript's; what is neither '' nor 0 is as true here as there. */
const words = (text: string) =>
	text
		.replaceAll("~=", "!=")
		.replace(/(?<![<>!=])=(?!=)/g, "==")
		.replace(/\band\b/g, "&&")
		.replace(/\bor\b/g, "||");

type Row = Record<string, unknown>;

type Expression = (given: unknown[], now: () => number, ...columns: unknown[]) => unknown;
const expressions = new Map<string, Expression>();
function expressionOf(text: string, columns: string[]): Expression {
	const script = text.replace("interval '1 ms'", "1").replace("'-infinity'", "-Infinity");
	const made = expressions.get(text) ?? (new Function("given", "clock_timestamp", ...columns, `return ${script}`) as Expression);
	expressions.set(text, made);
	return made;
}

/** `update … set … [where …] [returning fence]`, on a table of one row. Answers the rows that it returns. */
export function updateRow(row: Row, sql: string, bindings: unknown[], nowMs: number): Row[] {
	let bound = 0;
	const text = sql.replace(/\?\??/g, () => `given[${bound++}]`).replace(/\s+/g, " ");
	const parts = /^update given\[0\] set (?<set>.+?)(?: where (?<where>.+?))?(?: returning (?<returning>\w+))?$/.exec(text.trim());
	if (!parts?.groups) throw new Error(`this is not understood: ${text}`);
	const { set, where = "true", returning } = parts.groups as Record<string, string>;
	const value = (expression: string) => expressionOf(expression, Object.keys(row))(bindings, () => nowMs, ...Object.values(row));
	if (!value(words(where))) return [];
	const changed = set!.split(", ").map(one => {
		const [column, expression] = one.split(" = ");
		return [column!, value(expression!)];
	});
	Object.assign(row, Object.fromEntries(changed));
	return returning ? [{ [returning]: String(row[returning]) }] : [];
}

type Table = unknown[];
/** Lua counts from 1. */
const table = (...values: unknown[]): Table => [undefined, ...values];
const plain = (value: unknown): unknown => (Array.isArray(value) ? value.slice(1).map(plain) : value);
const tonumber = (value: unknown) => (value === false || value === undefined ? undefined : Number(value));

const compiled = new Map<string, (...given: unknown[]) => unknown>();
function compile(lua: string) {
	const known = compiled.get(lua);
	if (known) return known;
	const lines = lua.split("\n").map(line => {
		const assignment = /^(\s*)(local )?([\w[\] +\-*]+) = (.*)$/.exec(line);
		const isAssignment = assignment && !/\b(if|for|return)\b/.test(line);
		const [, , local, target, expression] = assignment ?? [];
		const statement = isAssignment ? `${local ? "let " : ""}${target} = ${words(expression!)}` : words(line);
		return statement
			.replace(/\{ (.+?) \}/g, "table($1)")
			.replace(/\bfor (\w+) == (.+), (.+) do\b/, "for (let $1 = $2; $1 <= $3; $1++) {")
			.replace(/\bif (.+?) then\b/, "if ($1) {")
			.replace(/\bend\b/g, "}")
			.replace(/#(\w+)/g, "($1.length - 1)");
	});
	const made = new Function("redis", "KEYS", "ARGV", "table", "tonumber", lines.join("\n")) as (...given: unknown[]) => unknown;
	compiled.set(lua, made);
	return made;
}

/** Runs a script of Redis. `call`: a command. A nil that a command answers is false to a script, and what is false or nil is null to who called it. */
export function runLua(
	lua: string,
	keys: string[],
	args: (string | number)[],
	call: (...command: unknown[]) => unknown
): unknown {
	const redis = {
		call: (...command: unknown[]) => {
			const answer = call(...command);
			return Array.isArray(answer) ? table(...answer.map(one => one ?? false)) : (answer ?? false);
		}
	};
	const answer = plain(compile(lua)(redis, table(...keys), table(...args.map(String)), table, tonumber));
	const told = (value: unknown): unknown =>
		Array.isArray(value) ? value.map(told) : value === false || value === undefined ? null : value;
	return told(answer);
}
