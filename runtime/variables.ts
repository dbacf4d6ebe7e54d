// The environment variables: the valid values and the default of each.
import { accessSync, constants } from "node:fs";
import { isIP } from "node:net";
import { z } from "zod";
import { Id } from "../contract/id.ts";
import { serviceNames } from "../services/contract.ts";

const integer = (min: number, max: number) =>
	z.string().regex(/^\d+$/).transform(Number).pipe(z.int().min(min).max(max)).describe(`a whole number from ${min} to ${max}`);
const port = integer(0, 65_535);
const readableFile = z.string().refine(path => {
	try {
		accessSync(path, constants.R_OK);
		return true;
	} catch {
		return false;
	}
});
const list = z.string().transform(text =>
	text
		.split(",")
		.map(part => part.trim())
		.filter(Boolean)
);
const url = (...protocols: string[]) =>
	z
		.string()
		.refine(text => URL.canParse(text) && protocols.includes(new URL(text).protocol))
		.describe(`a URL like ${protocols[0]}//host:port`);
const onOff = z.enum(["on", "off"]).describe("on or off");
const text = (what: string) => z.string().optional().describe(what);
/** An IP address or a network, such as `10.0.0.0/8`. */
const isNetwork = (text: string) => {
	const [address = "", bits, ...more] = text.split("/");
	const maxBits = isIP(address) === 4 ? 32 : 128;
	return isIP(address) > 0 && more.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= maxBits));
};
const isAddress = (text: string) => {
	const [, port = "1"] = /^[^\s:]+(?::(\d{1,5}))?$/.exec(text) ?? ["", "0"];
	return Number(port) > 0 && Number(port) <= 65_535;
};
const addresses = list.refine(all => all.length > 0 && all.every(isAddress)).describe("host:port, or several with commas");

/** Name → schema; its `description` says which values are valid. Where the default depends on other variables, `readConfig` sets it. */
export const variables = {
	PROFILE: z.enum(["embedded", "cluster"]).default("embedded").describe("embedded or cluster"),
	HOST: z
		.string()
		.regex(/^[\w.:-]+$/)
		.optional()
		.describe("an address or host name to listen on"),
	HTTP_PORT: port.default(8080),
	EXTRA_HTTP_PORTS: list
		.refine(ports => ports.every(text => port.safeParse(text).success && Number(text) > 0))
		.transform(ports => ports.map(Number))
		.default([])
		.describe("port numbers with commas, each from 1 to 65535"),
	GRPC_PORT: port.default(50_051),
	DATA_DIR: z.string().default("./data").describe("a directory that can be written"),
	KAFKA_BROKERS: addresses.default(["localhost:9092"]),
	KAFKA_TLS: onOff.default("off"),
	KAFKA_SASL: z
		.enum(["plain", "scram-sha-256", "scram-sha-512"])
		.default("scram-sha-512")
		.describe("plain, scram-sha-256 or scram-sha-512"),
	KAFKA_USERNAME: text("a user name"),
	KAFKA_PASSWORD: text("a password"),
	CASSANDRA_CONTACT_POINTS: addresses.default(["localhost:9042"]),
	CASSANDRA_TLS: onOff.default("off"),
	CASSANDRA_USERNAME: text("a user name"),
	CASSANDRA_PASSWORD: text("a password"),
	DATABASE_URL: url("postgres:", "postgresql:").default("postgres://postgres:postgres@localhost:5432/pocdb"),
	REDIS_URL: url("redis:", "rediss:").default("redis://localhost:6379"),
	SERVICES: list
		.refine(names => names.length > 0 && names.every(name => (serviceNames as string[]).includes(name)))
		.refine(names => !names.includes("socket") || names.includes("api"))
		.optional()
		.describe(`a list of ${serviceNames.join(", ")} (socket needs api beside it)`),
	LOG_LEVEL: z
		.enum(["fatal", "error", "warn", "info", "debug", "trace"])
		.default("info")
		.describe("fatal, error, warn, info, debug or trace"),
	SELECTION_NAMES: list
		.refine(names => names.length > 0 && new Set(names).size === names.length && names.every(name => Id.safeParse(name).success))
		.default(["a", "b", "c", "d"])
		.describe("different names with commas, each 1 to 64 characters"),
	GUESTS: onOff.optional(),
	JWT_SECRET: z
		.string()
		.refine(text => Buffer.byteLength(text) >= 32)
		.optional()
		.describe("at least 32 bytes"),
	MAX_FRAMES_PER_SECOND: integer(0, 1_000_000).default(1000),
	MAX_REQUESTS_PER_SECOND: integer(0, 1_000_000).default(1000),
	MAX_SOCKETS_PER_ADDRESS: integer(0, 10_000_000).default(2000),
	MAX_SOCKETS_PER_ACCOUNT: integer(0, 10_000_000).default(1000),
	TRUSTED_PROXIES: list
		.refine(all => all.every(isNetwork))
		.default([])
		.describe("addresses or ranges like 10.0.0.0/8, with commas"),
	HOLD_SECONDS: integer(1, 86_400).default(600),
	ORDER_TIMEOUT_MINUTES: integer(1, 100_000).default(30),
	PAYMENT_TEST_LIMIT: integer(0, 1_000_000_000).default(100_000),
	METRICS_PORT: port.default(3030),
	NODE_ID: z
		.string()
		.regex(/^[\w-]{1,128}$/)
		.optional()
		.describe("letters, digits, _ and -, at most 128"),
	TOPIC_PARTITIONS: integer(1, 1000).default(12),
	TOPIC_REPLICATION: integer(1, 15).default(1),
	GRPC_TOKEN: z.string().min(1).optional().describe("a token"),
	GRPC_TLS_CERT: readableFile.optional().describe("a PEM file with a certificate, that can be read"),
	GRPC_TLS_KEY: readableFile.optional().describe("a PEM file with the key of GRPC_TLS_CERT, that can be read"),
	GRPC_REFLECTION: onOff.default("on"),
	ALLOWED_ORIGINS: list
		.refine(origins => origins.every(origin => URL.canParse(origin) && new URL(origin).origin === origin))
		.default([])
		.describe("origins like https://example.org, with commas")
} as const;

const SECRET_VARIABLES = new Set([
	"JWT_SECRET",
	"GRPC_TOKEN",
	"DATABASE_URL",
	"REDIS_URL",
	"KAFKA_PASSWORD",
	"CASSANDRA_PASSWORD"
]);
type Variables = { [Name in keyof typeof variables]: z.output<(typeof variables)[Name]> };

/** An invalid variable; the message is one line with its name, its value and the valid values. */
export class ConfigError extends Error {}

/** Parses all variables. Throws `ConfigError` for the first invalid one. */
export function parseVariables(env: NodeJS.ProcessEnv): Variables {
	const entries = Object.entries(variables).map(([name, schema]) => {
		// Docker Compose passes an empty string for a variable that is not set.
		const text = env[name]?.trim() || undefined;
		const parsed = (schema as z.ZodType).safeParse(text);
		if (!parsed.success)
			throw new ConfigError(
				`${name}=${SECRET_VARIABLES.has(name) ? "***" : text} is unusable: give ${schema.description ?? describe(schema)}`
			);
		return [name, parsed.data];
	});
	return Object.fromEntries(entries) as Variables;
}

/** A description given before `.default()` stays on the inner schema. */
const describe = (schema: z.ZodType): string => {
	const inner = (schema as unknown as { unwrap?: () => z.ZodType }).unwrap?.();
	return inner?.description ?? (inner ? describe(inner) : "another value");
};
