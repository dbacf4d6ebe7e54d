import assert from "node:assert/strict";
import { once } from "node:events";
import { createConnection, createServer, type Socket } from "node:net";
import { Readable } from "node:stream";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
	ChannelCredentials,
	type Client,
	type ClientDuplexStream,
	type ClientReadableStream,
	type ClientWritableStream,
	loadPackageDefinition,
	type ServiceClientConstructor,
	status
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { ServiceBroker } from "moleculer";
import { conflict } from "../errors.ts";
import type { GrpcContext } from "./context.ts";
import { file } from "./grpc.fixture.ts";
import { grpc } from "./grpc.ts";
import type { GrpcHandler } from "./method.ts";

const WAIT_MS = 20_000;

const protoFile = file(
	`syntax = "proto3";
	package numbers;
	service Numbers {
		rpc One (Number) returns (Number);
		rpc Count (Number) returns (stream Number);
		rpc Sum (stream Number) returns (Number);
		rpc Double (stream Number) returns (stream Number);
	}
	message Number { int64 n = 1; string text = 2; }`,
	"proto"
);
interface Num {
	n: number | string | bigint;
	text?: string;
}
type Numbers = Client & {
	One(request: Num, done: (error: Error | null, answer: Num) => void): void;
	Count(request: Num, options?: { deadline: number }): ClientReadableStream<Num>;
	Sum(done: (error: (Error & { code: status }) | null, answer: Num) => void): ClientWritableStream<Num>;
	Double(): ClientDuplexStream<Num, Num>;
};
const loaded = loadPackageDefinition(loadSync(protoFile, { keepCase: true, defaults: true, longs: String })) as unknown as {
	numbers: { Numbers: ServiceClientConstructor };
};

/** Waits for a condition, with a bound. */
async function until(met: () => boolean, what: string) {
	const deadline = performance.now() + WAIT_MS;
	while (!met()) {
		assert.ok(performance.now() < deadline, `waited ${WAIT_MS} ms for ${what}`);
		await delay(10);
	}
}
/** How a stream of answers ended: its status, and what came before it. */
async function read(call: ClientReadableStream<Num>) {
	const answers: string[] = [];
	call.on("data", ({ n }) => answers.push(n));
	const failed = new Promise<{ code: status; details: string }>(resolve => call.once("error", resolve as never));
	const ended = once(call, "end").then(() => ({ code: status.OK, details: "" }));
	const { code, details } = await Promise.race([failed, ended]);
	return { answers, code, details };
}
const unexpected: GrpcHandler = () => Promise.reject(new Error("not expected"));

describe("a gRPC service with streams", () => {
	const handlers: Record<string, GrpcHandler> = {};
	const lines: string[] = [];
	const broker = new ServiceBroker({
		logger: {
			type: "Console",
			options: { level: "error", objectPrinter: String, formatter: (_: string, args: unknown[]) => [lines.push(args.join(" "))] }
		} as never
	});
	let port: number;
	let connect: (port: number) => Numbers;
	let client: Numbers;

	before(async () => {
		const methods = ["One", "Count", "Sum", "Double"];
		const delegating = methods.map(name => [name, (request: unknown, ctx: GrpcContext) => handlers[name]!(request, ctx)]);
		const service = broker.createService({
			name: "numbers",
			mixins: [
				grpc({ host: "127.0.0.1", port: 0, protoFile, services: { "numbers.Numbers": Object.fromEntries(delegating) } }),
				{ actions: { stream: () => Readable.from([{ n: 1 }, { n: 2 }]) } }
			]
		});
		await broker.start();
		({ port } = (service as unknown as { grpc: { port: number } }).grpc);
		connect = to => new loaded.numbers.Numbers(`127.0.0.1:${to}`, ChannelCredentials.createInsecure()) as unknown as Numbers;
		client = connect(port);
	});
	after(async () => {
		client?.close();
		await broker.stop();
	});

	const one = (request: Num) =>
		new Promise<Num>((resolve, reject) =>
			client.One(request, (error: Error | null, answer: Num) => (error ? reject(error) : resolve(answer)))
		);
	const stillServes = async () => {
		handlers.One = async request => request;
		assert.equal((await one({ n: 5 })).n, "5");
	};

	describe("from the server", () => {
		it("sends every answer of the iterator in order, then OK", async () => {
			handlers.Count = async function* ({ n }) {
				for (let i = 1; i <= Number(n); i++) yield { n: i };
			};
			const { answers, code } = await read(client.Count({ n: 500 }));
			assert.equal(code, status.OK);
			assert.deepEqual(
				answers,
				Array.from({ length: 500 }, (_, i) => String(i + 1))
			);
		});

		it("sends what an action streams", async () => {
			handlers.Count = (_request, ctx) => (ctx.call as unknown as (name: string) => Promise<unknown>)("numbers.stream");
			assert.deepEqual(await read(client.Count({ n: 1 })), { answers: ["1", "2"], code: status.OK, details: "" });
		});

		it("sends the answers before an error, and then its status", async () => {
			handlers.Count = async function* () {
				yield { n: 1 };
				yield { n: 2 };
				throw conflict("no third number", {});
			};
			const { answers, code, details } = await read(client.Count({ n: 3 }));
			assert.deepEqual([answers, code, details], [["1", "2"], status.FAILED_PRECONDITION, "no third number"]);
		});

		const wrong: [string, GrpcHandler, RegExp][] = [
			[
				"throws at once",
				() => {
					throw new Error("password=hunter2");
				},
				/password=hunter2/
			],
			["rejects with undefined", () => Promise.reject(undefined), /numbers\.Numbers\/Count failed/],
			["resolves to no iterable", async () => ({ n: 1 }), /must return an AsyncIterable/],
			[
				"yields null",
				async function* () {
					yield null;
				},
				/May not write null/
			],
			[
				"yields what is no message",
				async function* () {
					yield "text";
				},
				/does not fit its message type/
			]
		];
		for (const [name, handler, line] of wrong)
			it(`answers INTERNAL without inner matters, logs the error and goes on when a handler ${name}`, async () => {
				handlers.Count = handler;
				lines.length = 0;
				const { code, details } = await read(client.Count({ n: 3 }));
				assert.equal(code, status.INTERNAL);
				assert.doesNotMatch(details, /hunter2/);
				assert.match(lines.join("\n"), line);
				await stillServes();
			});

		it("asks the iterator only for what the client can take, and closes it when the client cancels", async () => {
			const limit = 20_000;
			let asked = 0;
			let closed = false;
			handlers.Count = async function* () {
				try {
					while (asked < limit) yield { n: asked++, text: "x".repeat(1024) };
				} finally {
					closed = true;
				}
			};
			const call = client.Count({ n: 1 });
			call.on("error", () => {});
			await once(call, "data");
			call.pause();
			let before = -1;
			await until(() => {
				const same = asked === before;
				before = asked;
				return same;
			}, "the iterator to be left alone");
			assert.ok(asked < limit, `${asked} answers were made for a client that does not read`);
			assert.equal(closed, false);
			call.cancel();
			await until(() => closed, "the iterator to be closed");
		});

		it("goes on answering after an iterator has thrown while it was closed", async () => {
			let closed = false;
			const iterator = {
				next: async () => ({ done: false as const, value: { n: 1, text: "x".repeat(1024) } }),
				return() {
					closed = true;
					throw new Error("cannot be closed");
				}
			};
			handlers.Count = () => ({ [Symbol.asyncIterator]: () => iterator }) as unknown as AsyncIterable<unknown>;
			const call = client.Count({ n: 1 });
			call.on("error", () => {});
			await once(call, "data");
			call.cancel();
			await until(() => closed, "the iterator to be closed");
			handlers.Count = async function* () {
				yield { n: 7 };
			};
			assert.deepEqual((await read(client.Count({ n: 1 }))).answers, ["7"]);
		});

		for (const [name, iterate] of [
			[
				"that yields for ever",
				async function* () {
					for (let n = 0; ; n++) {
						yield { n };
						await delay(1);
					}
				}
			],
			[
				"that waits for its signal",
				async function* (_: unknown, { signal }: GrpcContext) {
					yield { n: 1 };
					await once(signal, "abort");
					yield { n: 2 };
				}
			]
		] as [string, GrpcHandler][])
			it(`answers DEADLINE_EXCEEDED and closes an iterator ${name} when the client's deadline passes`, async () => {
				let closed = false;
				handlers.Count = async function* (request, ctx) {
					try {
						yield* iterate(request, ctx) as AsyncIterable<unknown>;
					} finally {
						closed = true;
					}
				};
				const { code } = await read(client.Count({ n: 1 }, { deadline: Date.now() + 300 }));
				assert.equal(code, status.DEADLINE_EXCEEDED);
				await until(() => closed, "the iterator to be closed");
				await stillServes();
			});
	});

	describe("from the client", () => {
		const sum = (send: (call: ClientWritableStream<Num>) => void) =>
			new Promise<string>((resolve, reject) =>
				send(client.Sum((error, answer) => (error ? reject(error) : resolve(String(answer.n)))))
			);

		it("gives the handler every request and the client its one answer", async () => {
			handlers.Sum = async (requests: AsyncIterable<Num>) => {
				let total = 0n;
				for await (const { n } of requests) total += BigInt(n);
				return { n: total };
			};
			const total = await sum(call => {
				for (let n = 1; n <= 100; n++) call.write({ n });
				call.end();
			});
			assert.equal(total, "5050");
		});

		it("answers before the client has sent everything when the handler does", async () => {
			handlers.Sum = async (requests: AsyncIterable<Num>) => {
				for await (const { n } of requests) return { n };
				return { n: 0 };
			};
			assert.equal(await sum(call => call.write({ n: 7 })), "7");
		});

		it("answers the status of the handler's error", async () => {
			handlers.Sum = async (requests: AsyncIterable<Num>) => {
				for await (const _ of requests) throw conflict("too many numbers", {});
			};
			await assert.rejects(
				sum(call => call.write({ n: 7 })),
				{ code: status.FAILED_PRECONDITION }
			);
		});

		/** Makes Sum count the requests of all its calls, and note how each call's requests ended: complete, or the error's type. */
		const countRequests = () => {
			const counted = { seen: 0, outcomes: [] as unknown[] };
			handlers.Sum = async (requests: AsyncIterable<Num>) => {
				try {
					for await (const _ of requests) counted.seen++;
					counted.outcomes.push("complete");
				} catch (error) {
					counted.outcomes.push((error as { type: string }).type);
					throw error;
				}
				return { n: 0 };
			};
			return counted;
		};

		it("throws inside the handler when the client vanishes: what it sent is not taken for all", async t => {
			const counted = countRequests();
			lines.length = 0;
			const links: Socket[] = [];
			const proxy = createServer(socket => {
				const onward = createConnection(port, "127.0.0.1");
				links.push(socket, onward);
				for (const link of [socket, onward]) link.on("error", () => {});
				socket.pipe(onward).pipe(socket);
			}).listen(0, "127.0.0.1");
			await once(proxy, "listening");
			const own = connect((proxy.address() as { port: number }).port);
			t.after(() => {
				own.close();
				proxy.close();
			});
			for (let n = 0; n < 50; n++) own.Sum(() => {}).write({ n });
			await until(() => counted.seen === 50, "the first request of each call");
			for (const link of links) link.destroy();
			await until(() => counted.outcomes.length === 50, "every handler to end");
			assert.deepEqual([...new Set(counted.outcomes)], ["REQUEST_SKIPPED"]);
			await stillServes();
			assert.deepEqual(lines, []);
		});

		it("ends the requests when the client cancels, and logs nothing", async () => {
			const counted = countRequests();
			lines.length = 0;
			const calls = Array.from({ length: 50 }, () => client.Sum(() => {}));
			for (const call of calls) call.write({ n: 1 });
			await until(() => counted.seen === 50, "the first request of each call");
			for (const call of calls) call.cancel();
			await until(() => counted.outcomes.length === 50, "every handler to end");
			// Not every one: a client in grpc-js ends its requests before it cancels.
			assert.ok(counted.outcomes.includes("REQUEST_SKIPPED"));
			await stillServes();
			assert.deepEqual(lines, []);
		});
	});

	describe("in both directions", () => {
		it("answers each request while the stream is open", async () => {
			handlers.Double = async function* (requests: AsyncIterable<Num>) {
				for await (const { n } of requests) yield { n: BigInt(n) * 2n };
			};
			const call = client.Double();
			for (const n of [1, 2, 3]) {
				call.write({ n });
				const [answer] = await once(call, "data");
				assert.equal(answer.n, String(n * 2));
			}
			call.end();
			assert.equal((await read(call)).code, status.OK);
		});

		it("goes on answering after the handler has stopped reading", async () => {
			handlers.Double = async function* (requests: AsyncIterable<Num>) {
				for await (const _ of requests) break;
				yield { n: 1 };
				yield { n: 2 };
			};
			const call = client.Double();
			call.write({ n: 0 });
			assert.deepEqual((await read(call)).answers, ["1", "2"]);
		});

		it("closes the handler's iterator when the client cancels", async () => {
			let closed = false;
			handlers.Double = async function* (requests: AsyncIterable<Num>) {
				try {
					for await (const request of requests) yield request;
				} finally {
					closed = true;
				}
			};
			const call = client.Double();
			call.on("error", () => {});
			call.write({ n: 1 });
			await once(call, "data");
			call.cancel();
			await until(() => closed, "the iterator to be closed");
			await stillServes();
		});
	});

	describe("with one answer", () => {
		it("carries 64-bit integers exactly, given as text, number or bigint", async () => {
			handlers.One = async ({ n }) => ({ n, text: typeof n });
			assert.deepEqual(await one({ n: "9007199254740993" }), { n: "9007199254740993", text: "string" });
			for (const n of [5, 5n, "5"]) {
				handlers.One = async () => ({ n });
				assert.equal((await one({ n: 0 })).n, "5");
			}
		});

		it("answers INTERNAL and logs the error when the handler returns an iterable or nothing", async () => {
			lines.length = 0;
			handlers.One = async function* () {
				yield { n: 1 };
			};
			await assert.rejects(one({ n: 1 }), { code: status.INTERNAL });
			handlers.One = async () => undefined;
			await assert.rejects(one({ n: 1 }), { code: status.INTERNAL });
			assert.match(lines[0]!, /one answer, not to an AsyncIterable/);
			assert.match(lines[1]!, /does not fit its message type/);
		});

		it("sends the text of an error that is no well-formed Unicode", async () => {
			handlers.One = async () => Promise.reject(conflict("no \ud800", {}));
			await assert.rejects(one({ n: 1 }), { code: status.FAILED_PRECONDITION });
		});
	});
});

describe("creating a gRPC service", () => {
	const fitting: Record<string, GrpcHandler> = { One: unexpected, Count: unexpected, Sum: unexpected, Double: unexpected };
	const create = (services: Record<string, Record<string, GrpcHandler>>, path = protoFile) =>
		new ServiceBroker({ logger: false }).createService({
			name: "numbers",
			mixins: [grpc({ host: "127.0.0.1", port: 0, protoFile: path, services })]
		});
	const { Double: _, ...incomplete } = fitting;
	const refused: [string, () => unknown, RegExp][] = [
		[
			"a service that the proto file does not have",
			() => create({ "numbers.Nummers": fitting }),
			/^gRPC service numbers\.Nummers is not in .*\.proto; its services: numbers\.Numbers$/
		],
		[
			"a message type in the place of a service",
			() => create({ "numbers.Number": fitting }),
			/^gRPC service numbers\.Number is not in /
		],
		[
			"a handler without a method",
			() => create({ "numbers.Numbers": { ...fitting, Cuont: unexpected } }),
			/^gRPC service numbers\.Numbers has no method Cuont; its methods: One, Count, Sum, Double$/
		],
		[
			"a method without a handler",
			() => create({ "numbers.Numbers": incomplete }),
			/^gRPC method numbers\.Numbers\/Double has no handler$/
		],
		[
			"a handler that is no function",
			() => create({ "numbers.Numbers": { ...fitting, One: "one" as never } }),
			/^gRPC method numbers\.Numbers\/One has no handler$/
		],
		[
			"an async generator for a method with one answer",
			() => create({ "numbers.Numbers": { ...fitting, Sum: async function* () {} } }),
			/^gRPC method numbers\.Numbers\/Sum has one answer/
		],
		[
			"a proto file that is not there",
			() => create({}, "/nowhere/numbers.proto"),
			/^gRPC cannot load the proto file \/nowhere\/numbers\.proto \(.*ENOENT/
		]
	];
	for (const [name, attempt, message] of refused)
		it(`fails with one line for ${name}`, () => {
			assert.throws(attempt, (error: Error) => message.test(error.message) && !error.message.includes("\n"));
		});
});
