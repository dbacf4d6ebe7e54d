import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Middleware, ServiceBroker } from "moleculer";
import { memoryLimits } from "../../mixins/limits/limits.ts";
import { eventually, exchange } from "../../test/client.ts";
import { freePorts } from "../../test/process.ts";
import { createConnections } from "./connections.ts";
import { httpListener, httpListenerOf } from "./http-listener.ts";

describe("EXTRA_HTTP_PORTS", () => {
	let broker: ServiceBroker;
	let taken: Server;
	let [first, second, takenPort]: number[] = [];
	const warnings: string[] = [];
	const urlOf = (port = 0) => `http://127.0.0.1:${port}`;

	before(async () => {
		[first, second, takenPort] = await freePorts(3);
		taken = createServer().listen(takenPort, "127.0.0.1");
		await once(taken, "listening");
		const connections = createConnections({ maxPerAddress: 0, maxTotal: 1_000, isTrusted: () => false });
		const config = {
			services: ["api"],
			host: "127.0.0.1",
			httpPort: 0,
			extraHttpPorts: [first!, takenPort!, second!],
			grpcPort: 0,
			metricsHost: "127.0.0.1",
			metricsPort: 0,
			maxRequestsPerSecond: 0,
			trustedProxies: [],
			allowedOrigins: [],
			limits: () => memoryLimits(),
			connections: () => connections
		};
		const health = async () => ({ status: "ok", checks: {} });
		const catchWarnings: Middleware = {
			name: "CatchWarnings",
			created(created: ServiceBroker) {
				created.logger.warn = (line: string) => void warnings.push(line);
			}
		};
		broker = new ServiceBroker({ logger: false, middlewares: [catchWarnings, httpListener(config, health)] });
		await broker.start();
	});
	after(async () => {
		taken?.close();
		await broker?.stop();
	});

	it("answers on each of them as on HTTP_PORT", async () => {
		const listener = httpListenerOf(broker);
		listener.gateway = (req, res) => res.end(`${req.method} ${req.url}`);
		for (const port of [first, second]) {
			assert.equal((await fetch(`${urlOf(port)}/health`)).status, 200);
			assert.equal(await (await fetch(`${urlOf(port)}/selections`)).text(), "GET /selections");
		}
	});

	it("passes upgrades to the same handlers", async () => {
		httpListenerOf(broker).upgrades.set("/ws", (_req, socket) => socket.end("HTTP/1.1 101 Switching Protocols\r\n\r\nupgraded"));
		const key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==";
		const request = `GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n\r\n`;
		assert.match(await exchange(urlOf(second), request), /^HTTP\/1\.1 101 .*upgraded$/s);
	});

	it("continues without a port that another process has taken, and warns with its number", () => {
		assert.equal(warnings.length, 1, warnings.join("\n"));
		assert.match(warnings[0]!, new RegExp(`EXTRA_HTTP_PORTS.*:${takenPort} is in use`));
	});

	it("warns once of connections that a port cannot accept, and goes on", async () => {
		const { server, extraPorts } = httpListenerOf(broker);
		for (const [one, name] of [
			[server, "HTTP_PORT"],
			[extraPorts[0]!, `EXTRA_HTTP_PORTS: 127.0.0.1:${first}`]
		] as const) {
			const before = warnings.length;
			for (let n = 0; n < 100; n++) one.emit("error", new Error("accept EMFILE"));
			assert.equal(warnings.length, before + 1);
			assert.equal(warnings.at(-1), `${name} could not accept a connection (accept EMFILE); it stays open for others`);
		}
		assert.equal((await fetch(`${urlOf(first)}/health`)).status, 200);
	});

	it("answers the requests under way on them before the node stops, and then listens no more", async () => {
		const listener = httpListenerOf(broker);
		let finish = () => {};
		const arrived = new Promise<void>(resolve => {
			listener.gateway = (_req, res) => {
				finish = () => void res.end("finished");
				resolve();
			};
		});
		const answer = fetch(urlOf(first)).then(response => response.text());
		await arrived;
		const isClosed = Promise.all(listener.extraPorts.map(server => once(server, "close")));
		const stopped = broker.stop();
		await eventually(() => assert.ok(listener.extraPorts.every(server => !server.listening)), "the ports to be closed");
		// Time in which a stop that does not wait would close the connection.
		await delay(100);
		finish();
		assert.equal(await answer, "finished");
		await Promise.all([stopped, isClosed]);
		for (const port of [first, second]) await assert.rejects(fetch(urlOf(port)), `${port} still listens`);
	});
});
