import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { after, before, beforeEach, describe, it } from "node:test";
import { ServiceBroker } from "moleculer";
import { config } from "../runtime/config.ts";
import { eventually } from "../test/client.ts";
import { freePorts } from "../test/process.ts";
import { type Cassandra, cassandra, openCassandra } from "./cassandra.ts";
import { isUnavailable } from "./errors.ts";

const keyspace = () => `plaza_test_${randomUUID().replaceAll("-", "")}`;
const [host, port = "9042"] = config.cassandraContactPoints[0]!.split(":") as [string, string?];

/** A way to Cassandra that can be cut, or swallow what is sent. */
function way(listenAt: number) {
	const sockets = new Set<Socket>();
	let swallows = false;
	let users = 0;
	const server = createServer(near => {
		users++;
		near.on("close", () => users--);
		const far = connect(Number(port), host);
		for (const [socket, other] of [
			[near, far],
			[far, near]
		] as const) {
			sockets.add(socket);
			socket.on("data", data => swallows || other.write(data));
			socket
				.on("error", () => {})
				.on("close", () => {
					sockets.delete(socket);
					other.destroy();
				});
		}
	});
	return {
		get users() {
			return users;
		},
		async open() {
			swallows = false;
			server.listen(listenAt, "127.0.0.1");
			await once(server, "listening");
		},
		swallow() {
			swallows = true;
		},
		async cut() {
			if (!server.listening) return;
			server.close();
			for (const socket of sockets) socket.destroy();
			await once(server, "close");
		}
	};
}

describe("a keyspace and its tables", () => {
	const connections: Cassandra[] = [];
	const name = keyspace();
	const open = () => {
		const connection = openCassandra({ contactPoints: config.cassandraContactPoints, keyspace: name });
		connections.push(connection);
		return connection;
	};
	after(async () => {
		await connections[0]?.client.execute(`drop keyspace if exists ${name}`, [], { prepare: false, readTimeout: 20_000 });
		await Promise.all(connections.map(connection => connection.close()));
	});

	it("are made once when several nodes start together, and again by none that starts later", async () => {
		const tables = ["one", "two"].map(table => `create table if not exists ${table} (id text primary key, n int)`);
		await Promise.all(Array.from({ length: 4 }, () => open().make(tables)));
		for (const [n, { client }] of connections.entries()) {
			await client.execute("insert into one (id, n) values (?, ?)", [`${n}`, n]);
			await client.execute("insert into two (id, n) values (?, ?)", [`${n}`, n]);
		}
		const late = open();
		await late.make(tables);
		for (const table of ["one", "two"])
			assert.equal((await late.client.execute(`select id from ${table}`)).rows.length, connections.length - 1);
	});

	it("stop the start of a service whose tables are wrong", async () => {
		const broker = new ServiceBroker({ logger: false, internalServices: false });
		const connection = openCassandra({ contactPoints: config.cassandraContactPoints, keyspace: name });
		broker.createService({ name: "wrong", mixins: [cassandra(connection, ["create table what"])] });
		await assert.rejects(broker.start(), { name: "ResponseError" });
		await broker.stop();
	});
});

describe("a connection to Cassandra", () => {
	const name = keyspace();
	let connection: Cassandra;
	let road: ReturnType<typeof way>;
	const broker = new ServiceBroker({ logger: false });
	before(async () => {
		const [listenAt] = await freePorts(1);
		road = way(listenAt!);
		connection = openCassandra({ contactPoints: [`127.0.0.1:${listenAt}`], keyspace: name });
		broker.createService({
			name: "needs",
			mixins: [cassandra(connection, ["create table if not exists things (id text primary key, n int)"])]
		});
	});
	after(async () => {
		await connection?.client.execute(`drop keyspace if exists ${name}`, [], { prepare: false, readTimeout: 20_000 });
		await broker?.stop();
		await road?.cut();
	});
	beforeEach(async () => {
		await road.cut();
	});

	const write = (n: number) => connection.client.execute("insert into things (id, n) values ('it', ?)", [n]);
	const read = async () => (await connection.client.execute("select n from things where id = 'it'")).first()?.n;

	it("is not made before its first use", async () => {
		await road.open();
		await new Promise(setImmediate);
		assert.equal(road.users, 0);
	});

	it("is waited for at start, with its tables", async () => {
		const started = broker.start();
		await assert.rejects(connection.check(), (error: Error) => isUnavailable(error));
		await road.open();
		await started;
		await write(1);
		assert.equal(await read(), 1);
	});

	it("comes back by itself however often it was cut, prepared statements and all, and leaves nothing behind", async () => {
		for (let n = 0; n < 4; n++) {
			await road.cut();
			await assert.rejects(read(), (error: Error) => isUnavailable(error));
			await road.open();
			await eventually(() => write(n), "Cassandra to answer again");
			assert.equal(await read(), n);
		}
		await eventually(() => assert.equal(road.users, 1), "all but one connection to be closed");
	});

	it("gives up what gets no answer as something that is away, and comes back", async () => {
		await road.open();
		await eventually(read, "Cassandra to answer again");
		road.swallow();
		await assert.rejects(write(3), (error: Error) => isUnavailable(error));
		await assert.rejects(connection.check(), (error: Error) => isUnavailable(error));
		await road.cut();
		await road.open();
		await eventually(() => write(4), "Cassandra to answer again");
		assert.equal(await read(), 4);
	});
});
