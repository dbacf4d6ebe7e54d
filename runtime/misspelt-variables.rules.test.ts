import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { misspeltVariables } from "./misspelt-variables.ts";
import { variables } from "./variables.ts";

/** Variables that shells, operating systems, npm, containers and other programs set, and those of Plaza's own commands and tools. */
const FOREIGN = [
	...[
		"HOSTNAME",
		"PORT",
		"HOME",
		"PATH",
		"PWD",
		"USER",
		"SHELL",
		"TERM",
		"LANG",
		"LC_ALL",
		"LOGNAME",
		"TMPDIR",
		"HOSTTYPE",
		"HISTFILE"
	],
	...[
		"NODE_ENV",
		"NODE_OPTIONS",
		"NODE_PATH",
		"NODE_EXTRA_CA_CERTS",
		"npm_config_registry",
		"npm_lifecycle_event",
		"NO_COLOR",
		"CI",
		"DEBUG"
	],
	...["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "KUBERNETES_SERVICE_HOST", "KUBERNETES_PORT", "REDIS_SERVICE_HOST"],
	...["KAFKA_PORT", "CASSANDRA_PORT", "PG_PORT", "REDIS_PORT", "INFRA_DATA", "PLAZA_URL", "BASE_URL", "DEMO_ADMIN_PASSWORD"],
	...["PGHOST", "PGPORT", "POSTGRES_PASSWORD", "APPDATA", "SystemRoot", "COMPUTERNAME", "PROCESSOR_LEVEL", "OS", "PROGRAMDATA"]
];

describe("an environment variable", () => {
	for (const [name, meant] of Object.entries({
		HTTP_PROT: "HTTP_PORT",
		HTTPPORT: "HTTP_PORT",
		HTTP_PRTO: "HTTP_PORT",
		HTTP_POTR: "HTTP_PORT",
		METRIC_PORT: "METRICS_PORT",
		EXTRA_HTTP_PORT: "EXTRA_HTTP_PORTS",
		KAFKA_BROKER: "KAFKA_BROKERS",
		REDIS_URI: "REDIS_URL",
		DATABASE_URI: "DATABASE_URL",
		PROFLIE: "PROFILE",
		GUEST: "GUESTS",
		SERVICE: "SERVICES",
		DATADIR: "DATA_DIR",
		HOTS: "HOST",
		JWT_SECERT: "JWT_SECRET",
		MAX_SOCKET_PER_ADDRES: "MAX_SOCKETS_PER_ADDRESS"
	}))
		it(`named ${name} is reported in one line that also names ${meant}`, () => {
			const line = misspeltVariables({ [name]: "hunter2" }).get(name) ?? "";
			assert.match(line, new RegExp(`^${name} .*\\b${meant}\\b[^\\n]*$`));
			assert.ok(!line.includes("hunter2"), "the value may be a secret");
		});

	it("of another program is not reported", () =>
		assert.deepEqual([...misspeltVariables(Object.fromEntries(FOREIGN.map(name => [name, "x"]))).values()], []));

	it("of Plaza is not reported", () =>
		assert.equal(misspeltVariables(Object.fromEntries(Object.keys(variables).map(name => [name, "x"]))).size, 0));
});
