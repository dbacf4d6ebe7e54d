// Attacks over HTTP and gRPC.
import { Agent, type RequestOptions, request } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { type Attack, manyUnknownKeys, orderOf, paced, type Run } from "./attack.ts";

const TIMEOUT_MS = 10_000;

/** Resolves with the body once the request is answered or has failed; counts the status, or the error's code. */
const send = ({ url, from, count }: Run, options: RequestOptions, body?: string): Promise<string> =>
	new Promise(resolve => {
		let text = "";
		const done = (outcome: string) => {
			count(outcome);
			resolve(text);
		};
		const sent = request(url, { localAddress: from, timeout: TIMEOUT_MS, ...options }, response => {
			response.setEncoding("utf8").on("data", part => {
				text += part;
			});
			response.on("close", () => done(String(response.statusCode)));
		});
		sent.on("timeout", () => sent.destroy(Object.assign(new Error(), { code: "timed out" })));
		sent.on("error", ({ code, message }: NodeJS.ErrnoException) => done(code ?? message));
		sent.end(body);
	});

const agent = (maxSockets: number) => new Agent({ keepAlive: true, maxSockets });
const JSON_TYPE = { "content-type": "application/json" };

export const idleConnections: Attack = {
	name: "idle",
	what: "idle HTTP connections, one GET /health/live each, at most 25,000",
	run: run =>
		paced(run, { perSecond: 1_500, maxRunning: 500, most: 25_000 }, () => {
			const { hostname, port, host } = new URL(run.url);
			return new Promise<void>(resolve => {
				const socket = connect({ host: hostname, port: Number(port), localAddress: run.from });
				let isAnswered = false;
				const finish = (outcome: string) => {
					if (!isAnswered) run.count(outcome);
					isAnswered = true;
					resolve();
				};
				socket.on("data", part => {
					const status = String(part).slice(9, 12);
					finish(status === "200" ? "open" : `refused ${status}`);
				});
				socket.on("error", ({ code = "" }: NodeJS.ErrnoException) => finish(code));
				socket.on("close", () => {
					if (isAnswered) run.count("closed later");
					finish("closed without an answer");
				});
				socket.write(`GET /health/live HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
			});
		})
};

export const unknownKeys: Attack = {
	name: "keys",
	what: "64 KB bodies of 6,500 unknown keys, 150 a second",
	async run(run) {
		const options = { method: "POST", path: "/api/purchases", headers: JSON_TYPE, agent: agent(32) };
		const body = manyUnknownKeys();
		await paced(run, { perSecond: 150, maxRunning: 32 }, () => send(run, options, body));
	}
};

export const logins: Attack = {
	name: "logins",
	what: "300 logins in flight, each for another e-mail address",
	victim: "logins",
	async run(run) {
		const options = { method: "POST", path: "/api/auth/login", headers: JSON_TYPE, agent: agent(300) };
		await paced(run, { perSecond: 1_000, maxRunning: 300 }, n =>
			send(run, options, JSON.stringify({ email: `nobody-${n}@example.com`, password: "a wrong password" }))
		);
	}
};

const BUYERS = 10;

export const largeOrders: Attack = {
	name: "orders",
	what: `orders of 100 lines of ${BUYERS} accounts, 300 a second`,
	victim: "orders",
	async run(run) {
		const shared = agent(300);
		const post = { method: "POST", agent: shared };
		const register = async (n: number) => {
			const body = { email: `buyer-${n}@example.com`, password: "a password of a buyer", name: "Buyer" };
			const answer = await send(run, { ...post, path: "/api/auth/register", headers: JSON_TYPE }, JSON.stringify(body));
			return JSON.parse(answer).token as string;
		};
		const tokens = await Promise.all(Array.from({ length: BUYERS }, (_, n) => register(n)));
		const body = JSON.stringify(orderOf(run.productId, 100));
		await paced(run, { perSecond: 300, maxRunning: 300 }, n => {
			const headers = { ...JSON_TYPE, authorization: `Bearer ${tokens[n % BUYERS]}` };
			return send(run, { ...post, path: "/api/orders", headers }, body);
		});
	}
};

const REFUSED: RequestOptions[] = [
	{ path: "/nothing" },
	{ path: "/selections", method: "DELETE" },
	{ path: "/api/purchases", method: "POST", headers: { "content-type": "text/plain" } },
	{ path: "/api/purchases", method: "POST", headers: { ...JSON_TYPE, "content-length": "2" } },
	{ path: "/selections", headers: { expect: "nothing" } },
	{ path: "/ws", headers: { connection: "Upgrade", upgrade: "nothing" } },
	{ path: "/api/orders" }
];

export const refusedRequests: Attack = {
	name: "refused",
	what: "requests that are refused (404, 405, 415, 400, 417, 401, bad upgrades), 4,000 a second",
	async run(run) {
		const shared = agent(64);
		await paced(run, { perSecond: 4_000, maxRunning: 64 }, n => {
			const options = REFUSED[n % REFUSED.length]!;
			const hasBody = options.headers && "content-length" in options.headers;
			return send(run, { ...options, agent: shared }, hasBody ? "{]" : undefined);
		});
	}
};

const STREAMS_PER_CONNECTION = 900;
/** One gRPC message without fields: not compressed, 0 bytes long. */
const EMPTY_MESSAGE = Buffer.alloc(5);

export const watchStreams: Attack = {
	name: "watch",
	what: "open Health/Watch streams, at most 27,000",
	async run(run) {
		const sessions: ClientHttp2Session[] = [];
		const open = (index: number): ClientHttp2Session => {
			const session = connectHttp2(`http://127.0.0.1:${run.grpcPort}`, {
				createConnection: () => connect({ host: "127.0.0.1", port: run.grpcPort, localAddress: run.from })
			});
			session.on("error", ({ code = "" }: NodeJS.ErrnoException) => run.count(`connection ${code}`));
			session.on("goaway", () => run.count("connection ended by the server"));
			sessions[index] = session;
			return session;
		};
		await paced(run, { perSecond: 1_500, maxRunning: 27_000, most: 27_000 }, async n => {
			const index = Math.floor(n / STREAMS_PER_CONNECTION);
			let session = sessions[index];
			if (!session || session.destroyed || session.closed) session = open(index);
			try {
				const headers = {
					":method": "POST",
					":path": "/grpc.health.v1.Health/Watch",
					"content-type": "application/grpc",
					te: "trailers"
				};
				const stream = session.request(headers, { endStream: false });
				let isOpen = false;
				let status = "";
				// Trailers alone: the call was refused.
				stream.on("response", answer => {
					status = String(answer["grpc-status"] ?? "");
				});
				stream.on("data", () => {
					if (!isOpen) run.count("open");
					isOpen = true;
				});
				stream.on("error", () => {});
				stream.on("close", () =>
					run.count(isOpen ? "closed later" : `refused (status ${status || "none"}, reset ${stream.rstCode})`)
				);
				stream.end(EMPTY_MESSAGE);
			} catch (error) {
				run.count((error as NodeJS.ErrnoException).code ?? "failed");
			}
		});
	}
};
