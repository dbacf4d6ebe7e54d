// docker-compose.yml and the Dockerfile agree with the code: they set only existing variables with valid values, and name every service.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { layout } from "../runtime/cluster.ts";
import { readConfig } from "../runtime/config.ts";
import { variables } from "../runtime/variables.ts";
import { serviceNames } from "../services/contract.ts";

interface Container {
	image: string;
	build?: string;
	command?: string[];
	environment: Record<string, string | number>;
	ports?: string[];
	volumes?: string[];
	restart?: string;
	stop_grace_period?: string;
	depends_on?: Record<string, { condition: string }>;
	healthcheck?: { test: string | string[]; interval: string; timeout: string; retries: number; start_period: string };
	deploy?: { resources: { limits: { cpus: string; memory: string } } };
}

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");
const compose = parse(read("../docker-compose.yml"), { merge: true }) as {
	services: Record<string, Container>;
	volumes: Record<string, null>;
};
const dockerfile = read("../Dockerfile");

const containers = Object.entries(compose.services);
/** Containers that run Plaza itself. */
const nodes = containers.filter(([, { build }]) => build);
const servers = containers.filter(([, { build }]) => !build);
const environmentOf = ({ environment }: Container) =>
	Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, String(value)]));
const configOf = (container: Container) => readConfig(environmentOf(container));
const defaults = readConfig({});
const probeOf = ({ healthcheck }: Container) => [healthcheck?.test ?? []].flat().join(" ");
/** The ports of a container that the host publishes, as "address:port". */
const published = ({ ports = [] }: Container) =>
	ports.map(port => port.split(":")).map(([address, host]) => `${address}:${host}`);

test("every variable that a service's container sets is one that the code reads, and accepts", () => {
	for (const [name, container] of nodes) {
		const environment = environmentOf(container);
		assert.deepEqual(
			Object.keys(environment).filter(variable => !(variable in variables)),
			[],
			`${name} sets a variable that the code does not read`
		);
		assert.doesNotThrow(() => configOf(container), name);
	}
});

test("every service runs in exactly one container, and shares it with the same services as in start:cluster", () => {
	const running = nodes.map(([, container]) => configOf(container).services);
	assert.deepEqual(running.flat().sort(), [...serviceNames].sort());
	assert.deepEqual(Object.fromEntries(nodes.map(([name, container]) => [name, configOf(container).services])), layout);
});

test("each service's node has a fixed name of its own, on the cluster profile, and states GUESTS=on", () => {
	for (const [name, container] of nodes) {
		const { profile, nodeID, guests } = configOf(container);
		assert.deepEqual({ profile, nodeID, guests }, { profile: "cluster", nodeID: name, guests: true });
		assert.equal(container.environment.GUESTS, "on");
	}
});

test("services look for each server where the compose file puts it", () => {
	const listeners = String(compose.services.kafka?.environment.KAFKA_ADVERTISED_LISTENERS).split(",");
	const { POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB } = environmentOf(compose.services.postgres!);
	for (const [, container] of nodes) {
		const config = configOf(container);
		assert.ok(
			listeners.some(listener => listener.endsWith(`://${config.kafkaBrokers}`)),
			String(config.kafkaBrokers)
		);
		assert.deepEqual(config.cassandraContactPoints, ["cassandra:9042"]);
		assert.equal(config.databaseUrl, `postgres://${POSTGRES_USER}:${POSTGRES_PASSWORD}@postgres:5432/${POSTGRES_DB}`);
		assert.equal(config.redisUrl, "redis://redis:6379");
	}
});

test("the host reaches the servers, the gateway and gRPC at the default ports, on loopback only", () => {
	const databaseUrl = new URL(defaults.databaseUrl);
	const expected = {
		kafka: [new URL(`kafka://${defaults.kafkaBrokers}`).port],
		cassandra: [new URL(`cql://${defaults.cassandraContactPoints}`).port],
		postgres: [databaseUrl.port],
		redis: [new URL(defaults.redisUrl).port],
		api: [defaults.httpPort, 3000, 3008, 3009, 5000].map(String),
		wallet: [String(defaults.grpcPort)]
	};
	const ports = Object.fromEntries(containers.flatMap(([name, one]) => (one.ports ? [[name, published(one)]] : [])));
	const onLoopback = Object.entries(expected).map(([name, ports]) => [name, ports.map(port => `127.0.0.1:${port}`)]);
	assert.deepEqual(ports, Object.fromEntries(onLoopback));
	for (const [name, { ports = [] }] of containers)
		for (const port of ports)
			assert.equal(port.split(":")[1], port.split(":")[2], `${name} listens on a different port from the one it publishes`);
	assert.ok(
		String(compose.services.kafka?.environment.KAFKA_ADVERTISED_LISTENERS).includes(`://${defaults.kafkaBrokers}`),
		"a client on the host is redirected to an address that it cannot reach"
	);
	const { POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB } = environmentOf(compose.services.postgres!);
	assert.deepEqual(
		[databaseUrl.username, databaseUrl.password, databaseUrl.pathname],
		[POSTGRES_USER, POSTGRES_PASSWORD, `/${POSTGRES_DB}`]
	);
});

test("the gateway answers at every port that is published for it", () => {
	const { httpPort, extraHttpPorts } = configOf(compose.services.api!);
	const ports = published(compose.services.api!).map(one => Number(one.split(":")[1]));
	assert.deepEqual([httpPort, ...extraHttpPorts], ports);
});

test("every container has a health check, a restart policy, time to stop, and limits", () => {
	for (const [name, { healthcheck, restart, deploy, stop_grace_period }] of containers) {
		const { test = "", ...pace } = healthcheck ?? {};
		assert.notEqual(test, "", `${name} has no health check`);
		assert.deepEqual(Object.keys(pace).sort(), ["interval", "retries", "start_period", "timeout"], name);
		for (const [field, value] of Object.entries(pace)) assert.match(String(value), /^\d+s?$/, `${name} ${field}`);
		assert.equal(restart, "unless-stopped", name);
		assert.match(deploy?.resources.limits.cpus ?? "", /^\d+(\.\d+)?$/, name);
		assert.match(deploy?.resources.limits.memory ?? "", /^\d+[MG]$/, name);
		assert.ok(Number.parseInt(stop_grace_period ?? "0", 10) >= 15, `${name} is killed before it can stop`);
	}
});

test("a service container's health check asks the port that answers it, with a program that the image has", () => {
	for (const [, container] of nodes) {
		assert.match(probeOf(container), /^CMD node -e /);
		assert.ok(probeOf(container).includes(`http://127.0.0.1:${configOf(container).metricsPort}/health/live`));
	}
});

test("services wait until all four servers are healthy; the servers wait for nothing", () => {
	const names = servers.map(([name]) => name);
	assert.deepEqual(names, ["kafka", "cassandra", "postgres", "redis"]);
	for (const [, { depends_on }] of nodes)
		assert.deepEqual(depends_on, Object.fromEntries(names.map(name => [name, { condition: "service_healthy" }])));
	for (const [, { depends_on }] of servers) assert.equal(depends_on, undefined);
});

test("every server stores its data in a declared volume", () => {
	const used = servers.flatMap(([name, { volumes = [] }]) => {
		assert.equal(volumes.length, 1, name);
		return volumes.map(volume => volume.split(":")[0]!);
	});
	assert.deepEqual(used.sort(), Object.keys(compose.volumes).sort());
	assert.ok(compose.services.kafka!.volumes![0]!.endsWith(`:${compose.services.kafka!.environment.KAFKA_LOG_DIRS}`));
	assert.deepEqual(compose.services.redis?.command?.slice(0, 3), ["redis-server", "--appendonly", "yes"]);
});

test("every server's image is one exact version", () => {
	for (const [name, { image }] of servers) assert.match(image, /^[\w/]+:\d+\.\d+(\.\d+)?$/, name);
});

test("Kafka and Cassandra are the same versions without Docker as with it", () => {
	for (const name of ["kafka", "cassandra"]) {
		const version = compose.services[name]!.image.split(":")[1]!;
		assert.ok(read(`../infra/${name}.ts`).includes(`:${version}"`), `infra/${name}.ts starts another version than ${version}`);
	}
});

test("the image has the required Node version, no development files, and does not run as root", () => {
	const instructions = dockerfile.replaceAll("\\\n", "").split("\n");
	const [, last] = dockerfile.split(/^FROM /m).slice(-2);
	for (const from of instructions.filter(line => line.startsWith("FROM"))) assert.match(from, /^FROM node:24-slim( AS \w+)?$/);
	assert.ok(instructions.some(line => /^RUN npm ci .*--omit=dev --omit=optional/.test(line)));
	assert.match(last!, /^USER node$/m);
	assert.match(last!, /^CMD \["node", "runtime\/start\.mjs"\]$/m);
	assert.match(last!, /^HEALTHCHECK .*\/health\/live/ms);
	const exposed = /^EXPOSE (.*)$/m.exec(last!)?.[1]?.split(" ").map(Number);
	assert.deepEqual(exposed, [defaults.httpPort, defaults.grpcPort, defaults.metricsPort]);
});
