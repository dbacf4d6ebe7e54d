// Interprets the subset of SQL and Lua that the relay's lease and the wallet's scripts use, so that the simulation runs the real statements
// and not a copy that could stay correct when they are wrong. Unsupported syntax fails to compile or gives wrong results: the simulation fails either way.

/** Translates the operators of an expression to JavaScript. Truthiness is the same in both for all values except '' and 0. */
const toJavaScript = (text: string) =>
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

/** Runs `update … set … [where …] [returning fence]` on a table of one row. Returns the rows of the `returning` clause. */
export function updateRow(row: Row, sql: string, bindings: unknown[], nowMs: number): Row[] {
	let bound = 0;
	const text = sql.replace(/\?\??/g, () => `given[${bound++}]`).replace(/\s+/g, " ");
	const parts = /^update given\[0\] set (?<set>.+?)(?: where (?<where>.+?))?(?: returning (?<returning>\w+))?$/.exec(text.trim());
	if (!parts?.groups) throw new Error(`unsupported statement: ${text}`);
	const { set, where = "true", returning } = parts.groups as Record<string, string>;
	const value = (expression: string) => expressionOf(expression, Object.keys(row))(bindings, () => nowMs, ...Object.values(row));
	if (!value(toJavaScript(where))) return [];
	const changed = set!.split(", ").map(one => {
		const [column, expression] = one.split(" = ");
		return [column!, value(expression!)];
	});
	Object.assign(row, Object.fromEntries(changed));
	return returning ? [{ [returning]: String(row[returning]) }] : [];
}

type Table = unknown[];
/** Lua's indexes start at 1. */
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
		const statement = isAssignment ? `${local ? "let " : ""}${target} = ${toJavaScript(expression!)}` : toJavaScript(line);
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

/** Runs a Redis script. `call` executes a command. A script sees a command's nil as false; the caller of a script sees false and nil as null. */
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
	const toReply = (value: unknown): unknown =>
		Array.isArray(value) ? value.map(toReply) : value === false || value === undefined ? null : value;
	return toReply(answer);
}
