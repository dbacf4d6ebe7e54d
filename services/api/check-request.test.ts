import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { it } from "node:test";
import { ServiceBroker } from "moleculer";
import { z } from "zod";
import { type ActionContract, action } from "../../contract/action.ts";
import { memoryLimits } from "../../mixins/limits/limits.ts";
import { createConnections } from "../../runtime/http/connections.ts";
import { httpListener } from "../../runtime/http/http-listener.ts";
import { type ReadRequest, requestCheck } from "./check-request.ts";

/** Per second; the burst is five times that. */
const MAX_REQUESTS = 10;

it("counts what a call costs beyond its size for the client's address, whichever account sends it", async t => {
	// The clock stands still: nothing is given back.
	const limits = memoryLimits({ now: () => 0 });
	const connections = createConnections({ maxPerAddress: 0, maxTotal: 1_000, isTrusted: () => false });
	const config = {
		services: ["api"],
		host: "127.0.0.1",
		httpPort: 0,
		extraHttpPorts: [],
		grpcPort: 0,
		metricsHost: "127.0.0.1",
		metricsPort: 0,
		maxRequestsPerSecond: MAX_REQUESTS,
		trustedProxies: [],
		allowedOrigins: [],
		limits: () => limits,
		connections: () => connections
	};
	const broker = new ServiceBroker({
		logger: false,
		middlewares: [httpListener(config, async () => ({ status: "ok", checks: {} }))]
	});
	await broker.start();
	t.after(() => broker.stop());
	const check = requestCheck({ limits, maxRequestsPerSecond: MAX_REQUESTS, guests: true }, () => false);
	const send = (remoteAddress: string, kib: number, cost?: number) => {
		const contract: ActionContract = action({
			params: z.any(),
			result: z.any(),
			who: "anyone",
			rest: "POST /notes",
			...(cost && { cost: () => cost })
		});
		const body = Buffer.from("{}".padEnd(kib * 1024));
		const headers = { "content-type": "application/json", "content-length": String(body.length) };
		const socket = { remoteAddress } as Socket;
		return check(broker, contract, { headers, socket, body, $params: {} } as unknown as ReadRequest);
	};
	// The listener has counted the announced size already.
	for (let n = 0; n < 20; n++) await send("203.0.113.1", 10);
	for (let n = 0; n < 20; n++) await send("203.0.113.1", 10, 10);
	for (let n = 0; n < 6; n++) await send("203.0.113.1", 2, 10);
	await assert.rejects(send("203.0.113.1", 2, 10), { code: 429, type: "TOO_MANY_REQUESTS" });
	await send("203.0.113.2", 2, 10);
	// What costs more than a full burst costs a full burst: otherwise it could never be accepted.
	await send("203.0.113.3", 1, 1_000);
	await assert.rejects(send("203.0.113.3", 1, 3), { code: 429 });
});
