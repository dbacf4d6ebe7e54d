import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceBroker } from "moleculer";
import { socketIo } from "./socket-io.ts";

test("disconnects no client where the node loses its lease before Socket.IO has started", async () => {
	const mixin = socketIo({ guests: true, allowedOrigins: [], isTrusted: () => false, names: new Set() });
	const broker = new ServiceBroker({ logger: false });
	const service = broker.createService({ name: "socket", mixins: [mixin] }) as unknown as { disconnectClients(): void };
	assert.doesNotThrow(() => service.disconnectClients());
});
