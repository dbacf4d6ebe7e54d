import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { it } from "node:test";
import { kafkaConnection } from "./connection.ts";

it("a closed connection gets no more listeners, however often kafkajs releases it", async t => {
	const server = createServer(socket => socket.destroy()).listen(0, "127.0.0.1");
	await once(server, "listening");
	t.after(() => server.close());
	const { port } = server.address() as AddressInfo;
	const { promise: opened, resolve } = Promise.withResolvers<Socket>();
	const onSocket = (message: unknown) => resolve((message as { socket: Socket }).socket);
	channel("net.client.socket").subscribe(onSocket);
	const { kafka, cut } = kafkaConnection({ brokers: [`127.0.0.1:${port}`], clientId: "test" });
	t.after(cut);
	const connecting = kafka.admin().connect();
	connecting.catch(() => {});
	const socket = await opened;
	channel("net.client.socket").unsubscribe(onSocket);
	if (!socket.closed) await once(socket, "close");
	const before = socket.listenerCount("connect");
	for (let n = 0; n < 20; n++) socket.unref();
	assert.equal(socket.listenerCount("connect"), before);
});
