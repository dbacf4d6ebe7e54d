// Generators of /ws frames: valid, nearly valid, and completely invalid.
import fc from "fast-check";

/** The users that one socket may act as, and the data that it uses. */
export interface FuzzUsers {
	guests: string[];
	accounts: { id: string; token: string }[];
	/** Invalid tokens. */
	badTokens: string[];
	/** Purchase ids that are used more than once. */
	purchaseIDs: string[];
}

export type Fuzzed = string | Uint8Array;

const MAX_BYTES = 64 * 1024;
/** Property names of every object, and field names of other frames. */
const KEYS = [
	"__proto__",
	"constructor",
	"prototype",
	"toString",
	"hasOwnProperty",
	"valueOf",
	"code",
	"data",
	"user",
	"user_id",
	"id"
];
KEYS.push("amount", "token", "ip", "selections", "", "0", "length", "\u0000", "ключ", "\ud800");
/** Unusual JSON: outside the range of doubles, rounded by them, or only similar to JSON. */
const ODD_VALUES = [
	"1e400",
	"-1e400",
	"1e-400",
	"-0",
	"0",
	"0.1",
	"0.105",
	"1000000.01",
	"1e6",
	"123456789012345678901234567890"
];
ODD_VALUES.push(
	"0.30000000000000004",
	"null",
	"true",
	"[]",
	"{}",
	'""',
	'"\\ud800"',
	'"\\u0000"',
	'"a\\nb"',
	"NaN",
	"01",
	"1.",
	"'a'"
);
ODD_VALUES.push(
	'"acct_00000000000000000000000000000000"',
	'"acct_"',
	`"${"x".repeat(64)}"`,
	`"${"x".repeat(65)}"`,
	'{"__proto__":{"user":"u"}}'
);

const key = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...KEYS) }, fc.string({ maxLength: 8 }));
const nested = fc
	.tuple(
		fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 70 }) }, fc.integer({ min: 1_000, max: 8_000 })),
		fc.constantFrom(["[", "]"], ['{"a":', "}"], ['[{"b":', "}]"])
	)
	.map(([depth, [open, close]]) => `${open!.repeat(depth)}1${close!.repeat(depth)}`);
const value = fc.oneof(
	{ weight: 4, arbitrary: fc.constantFrom(...ODD_VALUES) },
	{ weight: 4, arbitrary: fc.json({ maxDepth: 3 }) },
	nested
);

/** Fields in written form: an object could not hold a name twice, nor `__proto__`. */
type Fields = [name: string, json: string][];
const written = (fields: Fields) => `{${fields.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(",")}}`;

const mutate = (fields: Fields) =>
	fc.oneof(
		fc.nat(fields.length).map(at => fields.filter((_, n) => n !== at)),
		fc
			.tuple(key, value, fc.boolean())
			.map(([name, json, first]): Fields => (first ? [[name, json], ...fields] : [...fields, [name, json]])),
		fc
			.tuple(fc.nat(fields.length - 1), value)
			.map(([at, json]): Fields => fields.map(([name, was], n) => [name, n === at ? json : was])),
		fc
			.tuple(fc.nat(fields.length - 1), key)
			.map(([at, name]): Fields => fields.map(([was, json], n) => [n === at ? name : was, json])),
		fc.nat(fields.length - 1).map((at): Fields => [...fields, fields[at]!])
	);

/** Damages the text of a frame. */
const damage = (text: string) =>
	fc.oneof(
		fc.nat(text.length).map(at => text.slice(0, at)),
		fc
			.tuple(fc.nat(text.length), fc.string({ unit: "binary", maxLength: 3 }))
			.map(([at, part]) => text.slice(0, at) + part + text.slice(at + 1)),
		fc.constantFrom(`[${text}]`, ` \n${text}\t`, `${text}${text}`, `\ufeff${text}`, JSON.stringify(text), text.toUpperCase()),
		fc.integer({ min: 1, max: 40 }).map(depth => `{"data":`.repeat(depth) + text + "}".repeat(depth)),
		fc.integer({ min: MAX_BYTES - 8, max: MAX_BYTES }).map(bytes => text + " ".repeat(bytes - Buffer.byteLength(text)))
	);

/** Frames for one socket, most of them invalid. */
export function frames({ guests, accounts, badTokens, purchaseIDs }: FuzzUsers): fc.Arbitrary<Fuzzed> {
	const text = (json: string) => JSON.stringify(json);
	const anyUser = fc.constantFrom(...guests, ...accounts.map(({ id }) => id)).map(text);
	const anyToken = fc.constantFrom(...accounts.map(({ token }) => token), ...badTokens).map(text);
	const amount = fc.integer({ min: 1, max: 100_000_000 }).map(cents => String(cents / 100));
	const ownAccount = fc.constantFrom(...accounts).map(
		({ id, token }): Fields => [
			["user", text(id)],
			["token", text(token)]
		]
	);

	const connectData: fc.Arbitrary<Fields> = fc.oneof(
		ownAccount,
		anyUser.map((user): Fields => [["user", user]]),
		fc.tuple(anyUser, anyToken).map(
			([user, token]): Fields => [
				["user", user],
				["token", token]
			]
		),
		fc.tuple(anyUser, value).map(
			([user, ip]): Fields => [
				["ip", ip],
				["user", user]
			]
		)
	);
	const watchData = fc.constantFrom<Fields>([["selections", "true"]], [["selections", "true"]], [["selections", "false"]], []);
	const purchase: fc.Arbitrary<Fields> = fc.oneof(
		fc.tuple(anyUser, amount).map(
			([user, cost]): Fields => [
				["user_id", user],
				["amount", cost]
			]
		),
		fc.tuple(anyUser, fc.constantFrom("1", "2", "3.5"), fc.constantFrom(...purchaseIDs)).map(
			([user, cost, id]): Fields => [
				["id", text(id)],
				["user_id", user],
				["amount", cost]
			]
		)
	);
	const maybeMutated = (fields: fc.Arbitrary<Fields>) =>
		fc.oneof(fields, { weight: 2, arbitrary: fields.chain(good => (good.length > 0 ? mutate(good) : fc.constant(good))) });
	const coded = (code: string, data: fc.Arbitrary<Fields>) =>
		maybeMutated(data).map(
			(fields): Fields => [
				["code", text(code)],
				["data", written(fields)]
			]
		);

	const frame = fc.oneof(coded("connect", connectData), coded("watch", watchData), maybeMutated(purchase));
	const nearly = fc.oneof({ weight: 4, arbitrary: frame }, frame.chain(mutate)).map(written);
	const any = fc.oneof(
		{ weight: 12, arbitrary: nearly },
		{ weight: 4, arbitrary: nearly.chain(damage) },
		{ weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 200 }) },
		{ weight: 1, arbitrary: fc.json() },
		{ weight: 1, arbitrary: value },
		{ weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) }
	);
	// A larger one would close the socket.
	return any.filter(sent => Buffer.byteLength(sent) <= MAX_BYTES);
}
