import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { basename, dirname } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import {
	type CallOptions,
	ChannelCredentials,
	type Client,
	type ClientReadableStream,
	loadPackageDefinition,
	Metadata,
	makeClientConstructor,
	type ServiceClientConstructor,
	status
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { service as healthDefinition } from "grpc-health-check";
import { type Context, Errors, ServiceBroker } from "moleculer";
import { conflict, invalid, unauthorized, unavailable } from "../errors.ts";
import { file, selfSigned } from "./grpc.fixture.ts";
import { type GrpcOptions, grpc } from "./grpc.ts";

const run = promisify(execFile);
const WAIT_MS = 20_000;

const protoFile = file(
	`syntax = "proto3";
	package shop;
	service Till { rpc Ring (Item) returns (Receipt); }
	service Office { rpc Close (Item) returns (Receipt); }
	message Item { string name = 1; }
	message Receipt { map<string, double> price_by_name = 1; string request_id = 2; double time_left_ms = 3; }`,
	"proto"
);
const loaded = loadPackageDefinition(loadSync(protoFile, { keepCase: true, defaults: true })) as unknown as {
	shop: { Till: ServiceClientConstructor };
};

type Receipt = { price_by_name: Record<string, number>; request_id: string; time_left_ms: number };

/** What the action does for an item, by the item's name; for any other name it answers 1. */
const behaviours: Record<string, (ctx: Context) => Promise<unknown> | unknown> = {
	invalid: () => Promise.reject(invalid([{ field: "name", message: "must be nice" }])),
	conflict: () => Promise.reject(conflict("sold already", {})),
	unauthorized: () => Promise.reject(unauthorized("show who you are")),
	down: () => Promise.reject(unavailable("the stock at 10.0.0.7")),
	absent: ctx => ctx.call("stock.take"),
	slow: () => Promise.reject(new Errors.RequestTimeoutError({ action: "stock.take", nodeID: "node-7" })),
	missing: () => Promise.reject(new Errors.MoleculerClientError("no such item", 404, "NO_SUCH_ITEM")),
	broken: () => Promise.reject(new Error("password=hunter2"))
};

async function startShop(options: Partial<GrpcOptions> = {}) {
	const broker = new ServiceBroker({ logger: false });
	const service = broker.createService({
		name: "shop",
		mixins: [
			grpc({
				host: "127.0.0.1",
				port: 0,
				protoFile,
				services: { "shop.Till": { Ring: (item, ctx) => (ctx.call as Context["call"])("shop.ring", item) as Promise<object> } },
				...options
			})
		],
		actions: {
			async ring(ctx: Context<{ name: string }>) {
				const { name } = ctx.params;
				await behaviours[name]?.(ctx);
				return { price_by_name: { [name]: 1 }, request_id: ctx.requestID, time_left_ms: ctx.options.timeout ?? -1 };
			}
		}
	});
	await broker.start();
	const { port } = (service as unknown as { grpc: { port: number } }).grpc;
	return { broker, address: `127.0.0.1:${port}`, port };
}

const plain = ChannelCredentials.createInsecure();
const withMetadata = (values: Record<string, string>) => {
	const metadata = new Metadata();
	for (const [name, value] of Object.entries(values)) metadata.set(name, value);
	return metadata;
};

/** Makes one call over a connection of its own. */
async function ask<Answer = Receipt>(
	Service: ServiceClientConstructor,
	method: string,
	address: string,
	request: object,
	{
		metadata = {},
		channel = plain,
		...options
	}: CallOptions & { metadata?: Record<string, string>; channel?: ChannelCredentials } = {}
): Promise<Answer> {
	const client = new Service(address, channel);
	try {
		return await new Promise((resolve, reject) => {
			const call = client[method] as (...args: unknown[]) => void;
			const deadline = { deadline: Date.now() + WAIT_MS, ...options };
			call.call(client, request, withMetadata(metadata), deadline, (error: Error | null, answer: Answer) =>
				error ? reject(error) : resolve(answer)
			);
		});
	} finally {
		client.close();
	}
}
const ring = (address: string, name: string, options?: Parameters<typeof ask>[4]) =>
	ask(loaded.shop.Till, "Ring", address, { name }, options);
const Health = makeClientConstructor(healthDefinition, "Health");
const healthOf = (address: string, service: string) => ask<{ status: string }>(Health, "Check", address, { service });

describe("a gRPC service", () => {
	let shop: Awaited<ReturnType<typeof startShop>>;
	before(async () => {
		shop = await startShop({ maxCallsPerAddress: 2_000 });
	});
	after(() => shop.broker.stop());

	it("answers with its action's result", async () => {
		const { price_by_name } = await ring(shop.address, "apple");
		assert.deepEqual(price_by_name, { apple: 1 });
	});

	const refusals: [string, status, RegExp][] = [
		["invalid", status.INVALID_ARGUMENT, /name: must be nice/],
		["unauthorized", status.UNAUTHENTICATED, /show who you are/],
		["missing", status.NOT_FOUND, /no such item/],
		["conflict", status.FAILED_PRECONDITION, /sold already/],
		["down", status.UNAVAILABLE, /^((?!10\.0).)*$/],
		["absent", status.UNAVAILABLE, /^((?!stock).)*$/],
		["slow", status.UNAVAILABLE, /^((?!node-7).)*$/],
		["broken", status.INTERNAL, /^((?!hunter2).)*$/]
	];
	for (const [name, code, details] of refusals)
		it(`answers ${status[code]} without internal details when the call fails as ${name}`, async () => {
			await assert.rejects(ring(shop.address, name), (error: { code: status; details: string }) => {
				assert.equal(error.code, code);
				assert.match(error.details, details);
				return true;
			});
		});

	it("passes the client's request id to the call, and makes one when the client's is invalid", async () => {
		const requestIDOf = async (given: string) =>
			(await ring(shop.address, "apple", { metadata: { "x-request-id": given } })).request_id;
		assert.equal(await requestIDOf("req-1"), "req-1");
		for (const bad of ["x".repeat(65), "two words", ""]) assert.match(await requestIDOf(bad), /^[\da-f-]{36}$/);
	});

	it("passes the time left of the client's deadline to the call, and answers DEADLINE_EXCEEDED when it has passed", async () => {
		const { time_left_ms } = await ring(shop.address, "apple", { deadline: Date.now() + 10_000 });
		assert.ok(time_left_ms > 0 && time_left_ms <= 10_000, `${time_left_ms}`);
		behaviours.never = () => new Promise(() => {});
		await assert.rejects(ring(shop.address, "never", { deadline: Date.now() + 300 }), { code: status.DEADLINE_EXCEEDED });
	});

	it("starts no further call when the deadline has passed", async () => {
		const passed = Promise.withResolvers<void>();
		const counting = Promise.withResolvers<unknown>();
		behaviours.late = async ctx => {
			const startedAtMs = Date.now();
			await passed.promise;
			// The server counts from the arrival of the call: its deadline is a little later than the client's, but no later than this.
			while (Date.now() <= startedAtMs + 200) await delay(10);
			const count = ctx.call("shop.ring", { name: "counted" });
			count.then(counting.resolve, counting.reject);
			await count;
		};
		let counted = 0;
		behaviours.counted = () => counted++;
		await assert.rejects(ring(shop.address, "late", { deadline: Date.now() + 200 }), { code: status.DEADLINE_EXCEEDED });
		passed.resolve();
		await assert.rejects(counting.promise, { type: "REQUEST_SKIPPED" });
		assert.equal(counted, 0);
	});

	it("keeps serving after a thousand calls with a deadline of 1 ms", async () => {
		const client = new loaded.shop.Till(shop.address, plain);
		const hasty = () =>
			new Promise<number>(resolve => {
				const answered = (error: { code: status } | null) => resolve(error?.code ?? status.OK);
				client.Ring!({ name: "never" }, { deadline: Date.now() + 1 }, answered);
			});
		behaviours.never = () => new Promise(() => {});
		const codes = await Promise.all(Array.from({ length: 1000 }, hasty));
		client.close();
		assert.deepEqual([...new Set(codes)], [status.DEADLINE_EXCEEDED]);
		await ring(shop.address, "apple");
	});

	it("runs at most a thousand calls of one connection at a time; further ones wait", async () => {
		const gate = Promise.withResolvers<void>();
		const full = Promise.withResolvers<void>();
		let entered = 0;
		behaviours.crowded = () => {
			if (++entered === 1000) full.resolve();
			return gate.promise;
		};
		// By default clients of one address share a connection in grpc-js.
		const client = new loaded.shop.Till(shop.address, plain, { "grpc.use_local_subchannel_pool": 1 });
		const one = () =>
			new Promise((resolve, reject) => {
				const answered = (error: Error | null, receipt: Receipt) => (error ? reject(error) : resolve(receipt));
				client.Ring!({ name: "crowded" }, { deadline: Date.now() + WAIT_MS }, answered);
			});
		const all = Array.from({ length: 1200 }, one);
		await full.promise;
		// A call of another connection is answered first: one call too many would have arrived by then.
		await ring(shop.address, "apple");
		assert.equal(entered, 1000);
		gate.resolve();
		await Promise.all(all);
		assert.equal(entered, 1200);
		client.close();
	});

	it("refuses a message of more than 64 KiB, and keeps serving", async () => {
		await assert.rejects(ring(shop.address, "x".repeat(70_000)), { code: status.RESOURCE_EXHAUSTED });
		await ring(shop.address, "apple");
	});

	it("reports SERVING for the server and its services, and NOT_FOUND for others", async () => {
		for (const service of ["", "shop.Till"]) assert.deepEqual(await healthOf(shop.address, service), { status: "SERVING" });
		await assert.rejects(healthOf(shop.address, "shop.Nobody"), { code: status.NOT_FOUND });
	});

	for (const version of ["v1", "v1alpha"])
		it(`describes itself and its health over reflection ${version}`, async () => {
			const asked = [
				{ list_services: "" },
				{ file_containing_symbol: "shop.Receipt" },
				{ file_containing_symbol: "grpc.health.v1.Health" }
			];
			const [list, receipt, health] = await reflect(shop.address, version, asked);
			const services = list!.list_services_response!.service.map(({ name }) => name);
			for (const name of ["shop.Till", "grpc.health.v1.Health"]) assert.ok(services.includes(name), `${services}`);
			assert.match(
				Buffer.concat(receipt!.file_descriptor_response!.file_descriptor_proto).toString("latin1"),
				/PriceByNameEntry/
			);
			assert.ok(health!.file_descriptor_response);
		});

	it("hides over reflection the services of the proto file that are not served", async () => {
		const [list, hidden] = await reflect(shop.address, "v1", [{ list_services: "" }, { file_containing_symbol: "shop.Office" }]);
		const services = list!.list_services_response!.service.map(({ name }) => name);
		assert.deepEqual(services.sort(), ["grpc.health.v1.Health", "shop.Till"]);
		assert.equal(hidden!.file_descriptor_response ?? undefined, undefined);
	});

	it("answers grpcurl, which checks the descriptors of maps", async t => {
		if (!(await run("grpcurl", ["-version"]).catch(() => false))) return t.skip("grpcurl is not on the PATH");
		const grpcurl = async (...args: string[]) => (await run("grpcurl", ["-plaintext", ...args], { timeout: WAIT_MS })).stdout;
		assert.match(await grpcurl(shop.address, "describe", "shop.Receipt"), /map<string, double> price_by_name = 1;/);
		const receipt = JSON.parse(await grpcurl("-d", '{"name":"apple"}', shop.address, "shop.Till/Ring"));
		assert.deepEqual(receipt.price_by_name, { apple: 1 });
		assert.deepEqual(JSON.parse(await grpcurl(shop.address, "grpc.health.v1.Health/Check")), { status: "SERVING" });
	});
});

interface ReflectionAnswer {
	list_services_response?: { service: { name: string }[] };
	file_descriptor_response?: { file_descriptor_proto: Buffer[] };
}

/** Sends questions over one stream of the reflection service; its proto file comes with the package @grpc/reflection. */
async function reflect(address: string, version: string, questions: object[]): Promise<ReflectionAnswer[]> {
	const proto = new URL(`../proto/grpc/reflection/${version}/reflection.proto`, import.meta.resolve("@grpc/reflection"));
	const definitions = loadSync(proto.pathname, { keepCase: true, oneofs: true });
	const Reflection = makeClientConstructor(definitions[`grpc.reflection.${version}.ServerReflection`] as never, "Reflection");
	const client = new Reflection(address, plain);
	try {
		const stream = (client.ServerReflectionInfo as (options: CallOptions) => ClientReadableStream<ReflectionAnswer>).call(
			client,
			{
				deadline: Date.now() + WAIT_MS
			}
		) as ClientReadableStream<ReflectionAnswer> & { write(question: object): void; end(): void };
		for (const question of questions) stream.write(question);
		stream.end();
		return await stream.toArray();
	} finally {
		client.close();
	}
}

describe("a gRPC service without reflection", () => {
	let shop: Awaited<ReturnType<typeof startShop>>;
	before(async () => {
		shop = await startShop({ reflection: false });
	});
	after(() => shop.broker.stop());

	for (const version of ["v1", "v1alpha"])
		it(`does not describe itself over reflection ${version}`, async () => {
			await assert.rejects(reflect(shop.address, version, [{ list_services: "" }]), { code: status.UNIMPLEMENTED });
		});

	it("answers a grpcurl that has the proto file, and lists nothing", async t => {
		assert.deepEqual((await ring(shop.address, "apple")).price_by_name, { apple: 1 });
		if (!(await run("grpcurl", ["-version"]).catch(() => false))) return t.skip("grpcurl is not on the PATH");
		await assert.rejects(run("grpcurl", ["-plaintext", shop.address, "list"], { timeout: WAIT_MS }), /reflection API/);
		const proto = ["-import-path", dirname(protoFile), "-proto", basename(protoFile)];
		const { stdout } = await run("grpcurl", ["-plaintext", ...proto, "-d", '{"name":"apple"}', shop.address, "shop.Till/Ring"], {
			timeout: WAIT_MS
		});
		assert.deepEqual(JSON.parse(stdout).priceByName, { apple: 1 });
	});
});

describe("a gRPC service with a token", () => {
	let shop: Awaited<ReturnType<typeof startShop>>;
	before(async () => {
		shop = await startShop({ token: "s3cret" });
	});
	after(() => shop.broker.stop());

	it("accepts calls with the token and refuses all others", async () => {
		const show = (authorization: string) => ring(shop.address, "apple", { metadata: { authorization } });
		assert.ok(await show("Bearer s3cret"));
		for (const wrong of ["Bearer s3cre", "Bearer s3cret2", "s3cret", "bearer S3CRET", ""])
			await assert.rejects(show(wrong), { code: status.UNAUTHENTICATED }, wrong);
		await assert.rejects(ring(shop.address, "apple"), { code: status.UNAUTHENTICATED });
	});

	it("answers reflection only with the token, and health without it", async () => {
		await assert.rejects(reflect(shop.address, "v1", [{ list_services: "" }]), { code: status.UNAUTHENTICATED });
		assert.deepEqual(await healthOf(shop.address, "shop.Till"), { status: "SERVING" });
	});
});

describe("a gRPC service with a certificate", () => {
	const files = selfSigned();

	it("accepts TLS only", async t => {
		if (!files) return t.skip("openssl is not on the PATH");
		const { broker, address, port } = await startShop({ tls: files });
		t.after(() => broker.stop());
		const channel = ChannelCredentials.createSsl(readFileSync(files.cert));
		assert.ok(await ring(`localhost:${port}`, "apple", { channel }));
		await assert.rejects(ring(address, "apple"), { code: status.UNAVAILABLE });
	});

	it("answers a grpcurl that trusts its certificate authority, and no other", async t => {
		if (!files || !(await run("grpcurl", ["-version"]).catch(() => false)))
			return t.skip("openssl or grpcurl is not on the PATH");
		const { broker, port } = await startShop({ tls: files });
		t.after(() => broker.stop());
		const grpcurl = (...args: string[]) =>
			run("grpcurl", [...args, `localhost:${port}`, "grpc.health.v1.Health/Check"], { timeout: WAIT_MS });
		assert.deepEqual(JSON.parse((await grpcurl("-cacert", files.cert)).stdout), { status: "SERVING" });
		await assert.rejects(grpcurl(), /certificate signed by unknown authority/);
		await assert.rejects(grpcurl("-plaintext"));
	});

	it("does not start with only one of certificate and key, naming the missing option", async () => {
		await assert.rejects(startShop({ tls: { cert: "cert.pem" } }), /tls\.key is missing/);
		await assert.rejects(startShop({ tls: { key: "key.pem" } }), /tls\.cert is missing/);
		const optionNames = { cert: "GRPC_TLS_CERT", key: "GRPC_TLS_KEY" };
		await assert.rejects(startShop({ tls: { cert: "cert.pem" }, optionNames }), /GRPC_TLS_KEY is missing/);
	});

	it("does not start with a file that is missing or no certificate, naming option and file", async () => {
		await assert.rejects(
			startShop({ tls: { cert: "/nowhere/cert.pem", key: "/nowhere/key.pem" } }),
			/tls\.cert=\/nowhere\/cert.pem.*ENOENT/
		);
		const none = file("no certificate", "pem");
		await assert.rejects(startShop({ tls: { cert: none, key: none } }), /tls\.cert=.* do not work/);
	});
});

describe("starting and stopping a gRPC service", () => {
	it("fails with one line that names address and option when the port is taken", async t => {
		const taker = createServer().listen(0, "127.0.0.1");
		await once(taker, "listening");
		t.after(() => taker.close());
		const { port } = taker.address() as { port: number };
		await assert.rejects(startShop({ port, optionNames: { port: "GRPC_PORT" } }), ({ message }: Error) => {
			assert.match(message, new RegExp(`127\\.0\\.0\\.1:${port} .*EADDRINUSE.*GRPC_PORT`));
			assert.ok(!message.includes("\n"));
			return true;
		});
	});

	it("fails with one line that names the option for the host when that is no address of this machine", async () => {
		// An address of no machine: RFC 5737.
		const start = startShop({ host: "192.0.2.1", optionNames: { host: "HOST", port: "GRPC_PORT" } });
		await assert.rejects(start, /^Error: gRPC cannot listen on 192\.0\.2\.1:0 \(EADDRNOTAVAIL\): set HOST to/);
	});

	it("when it stops, answers running calls, reports NOT_SERVING and accepts no more", async () => {
		const shop = await startShop();
		const held = Promise.withResolvers<void>();
		const entered = Promise.withResolvers<void>();
		behaviours.held = () => {
			entered.resolve();
			return held.promise;
		};
		const watcher = new Health(shop.address, plain) as Client &
			Record<string, (request: object) => ClientReadableStream<{ status: string }>>;
		const states = watcher.Watch!({ service: "shop.Till" });
		states.on("error", () => {});
		assert.deepEqual((await once(states, "data"))[0], { status: "SERVING" });

		const underWay = ring(shop.address, "held");
		await entered.promise;
		const stopped = shop.broker.stop();
		assert.deepEqual((await once(states, "data"))[0], { status: "NOT_SERVING" });
		states.cancel();
		watcher.close();
		await assert.rejects(ring(shop.address, "apple"), { code: status.UNAVAILABLE });
		held.resolve();
		assert.deepEqual((await underWay).price_by_name, { held: 1 });
		await stopped;
	});

	it("stops in bounded time although a call never ends", async () => {
		const shop = await startShop();
		behaviours.never = () => new Promise(() => {});
		const unanswered = assert.rejects(ring(shop.address, "never", { deadline: Date.now() + 6_000 }), { code: status.CANCELLED });
		const watcher = new Health(shop.address, plain) as Client &
			Record<string, (request: object) => ClientReadableStream<unknown>>;
		const states = watcher.Watch!({ service: "" });
		await once(states, "data");
		states.on("error", () => {});
		await shop.broker.stop();
		watcher.close();
		await unanswered;
	});

	it("does not listen on a node that does not run the service", async () => {
		const broker = new ServiceBroker({ logger: false });
		const service = broker.createService({
			name: "shop",
			mixins: [grpc({ host: "127.0.0.1", port: 0, protoFile, services: {}, listens: false })]
		});
		await broker.start();
		assert.equal((service as unknown as { grpc?: unknown }).grpc, undefined);
		await broker.stop();
	});
});
