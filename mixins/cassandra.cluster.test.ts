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

/** A proxy to Cassandra that can close its connections, or drop what is sent over them. */
function proxy(listenAt: number) {
	const sockets = new Set<Socket>();
	let drops = false;
	let open = 0;
	const server = createServer(near => {
		open++;
		near.on("close", () => open--);
		const far = connect(Number(port), host);
		for (const [socket, other] of [
			[near, far],
			[far, near]
		] as const) {
			sockets.add(socket);
			socket.on("data", data => drops || other.write(data));
			socket
				.on("error", () => {})
				.on("close", () => {
					sockets.delete(socket);
					other.destroy();
				});
		}
	});
	return {
		get connections() {
			return open;
		},
		async open() {
			drops = false;
			server.listen(listenAt, "127.0.0.1");
			await once(server, "listening");
		},
		drop() {
			drops = true;
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

	it("are created once when several nodes start together, and not again by a node that starts later", async () => {
		const tables = ["one", "two"].map(table => `create table if not exists ${table} (id text primary key, n int)`);
		await Promise.all(Array.from({ length: 4 }, () => open().createTables(tables)));
		for (const [n, { client }] of connections.entries()) {
			await client.execute("insert into one (id, n) values (?, ?)", [`${n}`, n]);
			await client.execute("insert into two (id, n) values (?, ?)", [`${n}`, n]);
		}
		const late = open();
		await late.createTables(tables);
		for (const table of ["one", "two"])
			assert.equal((await late.client.execute(`select id from ${table}`)).rows.length, connections.length - 1);
	});

	it("fail the start of a service whose table definitions are invalid", async () => {
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
	let link: ReturnType<typeof proxy>;
	const broker = new ServiceBroker({ logger: false });
	before(async () => {
		const [listenAt] = await freePorts(1);
		link = proxy(listenAt!);
		connection = openCassandra({ contactPoints: [`127.0.0.1:${listenAt}`], keyspace: name });
		broker.createService({
			name: "needs",
			mixins: [cassandra(connection, ["create table if not exists things (id text primary key, n int)"])]
		});
	});
	after(async () => {
		await connection?.client.execute(`drop keyspace if exists ${name}`, [], { prepare: false, readTimeout: 20_000 });
		await broker?.stop();
		await link?.cut();
	});
	beforeEach(async () => {
		await link.cut();
	});

	const write = (n: number) => connection.client.execute("insert into things (id, n) values ('it', ?)", [n]);
	const read = async () => (await connection.client.execute("select n from things where id = 'it'")).first()?.n;

	it("is not opened before its first use", async () => {
		await link.open();
		await new Promise(setImmediate);
		assert.equal(link.connections, 0);
	});

	it("is awaited at start, with its tables", async () => {
		const started = broker.start();
		await assert.rejects(connection.check(), (error: Error) => isUnavailable(error));
		await link.open();
		await started;
		await write(1);
		assert.equal(await read(), 1);
	});

	it("reconnects by itself after every cut, with its prepared statements, and leaks no connection", async () => {
		for (let n = 0; n < 4; n++) {
			await link.cut();
			await assert.rejects(read(), (error: Error) => isUnavailable(error));
			await link.open();
			await eventually(() => write(n), "Cassandra to answer again");
			assert.equal(await read(), n);
		}
		await eventually(() => assert.equal(link.connections, 1), "all but one connection to be closed");
	});

	it("rejects a statement without an answer as unavailable, and reconnects", async () => {
		await link.open();
		await eventually(read, "Cassandra to answer again");
		link.drop();
		await assert.rejects(write(3), (error: Error) => isUnavailable(error));
		await assert.rejects(connection.check(), (error: Error) => isUnavailable(error));
		await link.cut();
		await link.open();
		await eventually(() => write(4), "Cassandra to answer again");
		assert.equal(await read(), 4);
	});
});
