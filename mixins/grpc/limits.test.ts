import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { createConnection, type Server, type Socket } from "node:net";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { status } from "@grpc/grpc-js";
import { ECHO, echo, REFLECTION, startDesk, WATCH } from "./desk.fixture.ts";
import { selfSigned } from "./grpc.fixture.ts";
import { framed, rawCall, textField, within } from "./raw-call.fixture.ts";

const WAIT_MS = 20_000;

async function until(met: () => Promise<boolean> | boolean, what: string) {
	const deadline = performance.now() + WAIT_MS;
	while (!(await met())) {
		assert.ok(performance.now() < deadline, `waited ${WAIT_MS} ms for ${what}`);
		await delay(10);
	}
}

/** Whether this event comes before the end of the connection. */
const comes = (socket: Socket, event: string) =>
	within(
		new Promise<boolean>(resolve => {
			socket.once(event, () => resolve(true));
			socket.once("close", () => resolve(false));
		}),
		`${event} or the end of the connection`
	);

describe("connections of one address to a gRPC service", () => {
	const connect = async (port: number): Promise<Socket> => {
		const socket = createConnection(port, "127.0.0.1");
		socket.on("error", () => {});
		await within(once(socket, "connect"), "a connection");
		return socket;
	};
	const destroy = (sockets: Socket[]) => {
		for (const socket of sockets) socket.destroy();
	};
	/** A server that has accepted a connection sends its HTTP/2 settings. */
	const isAccepted = (socket: Socket) => comes(socket, "data");

	it("are closed beyond the limit, and accepted again when another has ended", async t => {
		const { port } = await startDesk(t, { maxConnectionsPerAddress: 3 });
		const sockets: Socket[] = [];
		t.after(() => destroy(sockets));
		for (let n = 0; n < 3; n++) {
			const socket = await connect(port);
			sockets.push(socket);
			assert.equal(await isAccepted(socket), true);
		}
		assert.equal(await isAccepted(await connect(port)), false);
		sockets[0]!.destroy();
		await until(async () => {
			const socket = await connect(port);
			sockets.push(socket);
			return isAccepted(socket);
		}, "a connection to be accepted again");
	});

	it("count before their TLS handshake", async t => {
		const tls = selfSigned();
		if (!tls) return t.skip("openssl is not on the PATH");
		const { port } = await startDesk(t, { maxConnectionsPerAddress: 2, tls });
		const silent = [await connect(port), await connect(port)];
		t.after(() => destroy(silent));
		const shake = () => {
			const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["h2"] });
			socket.on("error", () => {});
			t.after(() => socket.destroy());
			return comes(socket, "secureConnect");
		};
		assert.equal(await shake(), false);
		silent[0]!.destroy();
		await until(shake, "a handshake to be accepted again");
	});

	it("that cannot be accepted are logged as one warning, and the next ones are accepted", async t => {
		const { port, logger } = await startDesk(t);
		const { mock: warned } = t.mock.method(logger, "warn");
		let listener: Server | undefined;
		const remember = (message: unknown) => {
			listener ??= (message as { socket: { server: Server } }).socket.server;
		};
		subscribe("net.server.socket", remember);
		t.after(() => unsubscribe("net.server.socket", remember));
		const socket = await connect(port);
		t.after(() => destroy([socket]));
		assert.equal(await isAccepted(socket), true);
		for (let n = 0; n < 100; n++) listener?.emit("error", new Error("accept EMFILE"));
		assert.deepEqual(
			warned.calls.map(({ arguments: [line] }) => line),
			["gRPC could not accept a connection (accept EMFILE); it stays open for others"]
		);
		const next = await connect(port);
		t.after(() => destroy([next]));
		assert.equal(await isAccepted(next), true);
	});

	it("are closed when acceptConnection says so, and not counted when they have no address", async t => {
		let accepting = true;
		const { port } = await startDesk(t, {
			maxConnectionsPerAddress: 1,
			addressOf: () => undefined,
			acceptConnection: ({ remoteAddress }) => accepting && remoteAddress === "127.0.0.1"
		});
		const sockets = [await connect(port), await connect(port)];
		t.after(() => destroy(sockets));
		for (const socket of sockets) assert.equal(await isAccepted(socket), true);
		accepting = false;
		assert.equal(await isAccepted(await connect(port)), false);
	});
});

describe("open calls of one address to a gRPC service", () => {
	/** Opens a call that the server does not end, and resolves to its stream once it has answered; or to undefined when it is refused. */
	const watch = async (session: ClientHttp2Session) => {
		const { stream, answer } = rawCall(session, WATCH);
		const answered = once(stream, "data").then(() => undefined);
		const refusal = await within(Promise.race([answered, answer]), "a state or a refusal");
		if (!refusal) return stream;
		assert.equal(refusal.code, status.RESOURCE_EXHAUSTED);
		return undefined;
	};

	it("are refused beyond the limit over all its connections, and accepted again when another has ended", async t => {
		const { open } = await startDesk(t, { maxCallsPerAddress: 5 });
		const [one, two] = [await open(), await open()];
		const streams: ClientHttp2Stream[] = [];
		for (const session of [one, two, one, two, one]) {
			const stream = await watch(session);
			assert.ok(stream);
			streams.push(stream);
		}
		for (const session of [one, two]) {
			assert.equal(await watch(session), undefined);
			const { code, details } = await echo(session);
			assert.deepEqual([code, details], [status.RESOURCE_EXHAUSTED, "At most 5 open calls of one address"]);
		}
		streams[0]!.close();
		await until(async () => (await echo(two)).code === status.OK, "a call to be accepted again");
		one.destroy();
		await until(async () => Boolean(await watch(two)), "the calls of the closed connection to end");
	});

	it("count until the client has ended them, although they are answered", async t => {
		const { open } = await startDesk(t, { maxCallsPerAddress: 2 });
		const session = await open();
		const twice = Buffer.concat([framed(Buffer.alloc(0)), framed(Buffer.alloc(0))]);
		const held = [1, 2].map(() => rawCall(session, ECHO, { body: twice, end: false }));
		for (const { answer } of held) assert.equal((await within(answer, "an answer")).code, status.UNIMPLEMENTED);
		assert.equal((await echo(session)).code, status.RESOURCE_EXHAUSTED);
		for (const { stream } of held) stream.end();
		await until(async () => (await echo(session)).code === status.OK, "a call to be accepted again");
	});
});

describe("a client of a gRPC service", () => {
	it("that does not read the answers of reflection has its further requests left unread", async t => {
		const { open } = await startDesk(t);
		const session = await open();
		const list = framed(textField(7, Buffer.from("*")));
		const { stream } = rawCall(session, REFLECTION, { body: list, end: false });
		await within(once(stream, "data"), "the first answer");
		stream.pause();
		stream.write(Buffer.concat(new Array<Buffer>(40_000).fill(list)));
		// Each answer of another call shows that the server has had the time to read on.
		const other = await open();
		for (let n = 0; n < 200; n++) assert.equal((await echo(session)).code, (await echo(other)).code);
		assert.ok(stream.writableLength > 0, "the server has read all requests");
		stream.close();
	});

	it("that watches the health of many unknown names takes the memory of one", async t => {
		const { open, health } = await startDesk(t);
		const session = await open();
		for (let n = 0; n < 20; n++) {
			const { stream } = rawCall(session, WATCH, { body: framed(textField(1, Buffer.from(`name ${n}`))) });
			await within(once(stream, "data"), "a state");
			stream.close();
		}
		assert.ok((Reflect.get(health, "watchers") as Map<string, unknown>).size <= 1);
	});
});
