import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { it } from "node:test";
import { wholeStatements } from "./whole-statements.ts";

/** A Sync message, which completes a statement. */
const SYNC = Buffer.from("S");
const CONNECTIONS = 60;
const STATEMENTS = 20;

it("statements that follow one another leave turns of the event loop to others", async t => {
	let ran = 0;
	const session = wholeStatements({
		waitReady: Promise.resolve(),
		async execProtocolStream() {
			const endMs = performance.now() + 25;
			while (performance.now() < endMs);
			ran++;
			return [];
		}
	});
	let accepted = 0;
	let before: number | undefined;
	const server = createServer(() => {
		if (++accepted === CONNECTIONS) before = ran;
	});
	t.after(() => server.close());
	await once(server.listen(0, "127.0.0.1"), "listening");
	const { port } = server.address() as AddressInfo;
	const sockets = Array.from({ length: CONNECTIONS }, () => connect(port, "127.0.0.1"));
	t.after(() => {
		for (const socket of sockets) socket.destroy();
	});
	for (let n = 0; n < STATEMENTS; n++) await session.execProtocolStream(SYNC);
	assert.ok(before !== undefined, `${accepted} of ${CONNECTIONS} connections were accepted during ${STATEMENTS} statements`);
});
