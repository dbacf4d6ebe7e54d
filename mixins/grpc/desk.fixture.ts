// A gRPC service that returns its requests, for tests that write the bytes of calls themselves.
import type { ClientHttp2Session } from "node:http2";
import type { TestContext } from "node:test";
import type { HealthImplementation } from "grpc-health-check";
import { type Context, ServiceBroker } from "moleculer";
import { conflict } from "../errors.ts";
import { file } from "./grpc.fixture.ts";
import { type GrpcOptions, grpc } from "./grpc.ts";
import { answerTo, framed, openSession } from "./raw-call.fixture.ts";

export const ECHO = "desk.Desk/Echo";
export const WATCH = "grpc.health.v1.Health/Watch";
export const REFLECTION = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
export const REQUEST_TIMEOUT_MS = 5_000;

const protoFile = file(
	`syntax = "proto3";
	package desk;
	service Desk { rpc Echo (Note) returns (Note); rpc Collect (stream Note) returns (Note); rpc Converse (stream Note) returns (stream Note); }
	message Note { string text = 1; int64 number = 2; Note inner = 3; repeated sint64 numbers = 4; double timeout_ms = 5; }`,
	"proto"
);

/** Starts it for one test. `open` opens a connection. */
export async function startDesk(t: TestContext, options: Partial<GrpcOptions> = {}) {
	const broker = new ServiceBroker({ logger: false, requestTimeout: REQUEST_TIMEOUT_MS });
	const service = broker.createService({
		name: "desk",
		mixins: [
			grpc({
				host: "127.0.0.1",
				port: 0,
				protoFile,
				services: {
					"desk.Desk": {
						Echo: (note, ctx) => ctx.call("desk.echo", note),
						async *Converse(notes) {
							yield* notes;
						},
						async Collect(notes) {
							let text = "";
							for await (const note of notes) text += note.text;
							if (text.length > 1_000) throw conflict(`Too long: ${text}`, {});
							return { text };
						}
					}
				},
				...options
			})
		],
		actions: { echo: (ctx: Context<object>) => ({ ...ctx.params, timeout_ms: ctx.options.timeout }) }
	});
	await broker.start();
	const { port, health } = (service as unknown as { grpc: { port: number; health: HealthImplementation } }).grpc;
	const sessions: ClientHttp2Session[] = [];
	t.after(() => {
		for (const session of sessions) session.destroy();
		return broker.stop();
	});
	const open = async () => {
		const session = await openSession(port);
		sessions.push(session);
		return session;
	};
	return { port, health, open, logger: service.logger };
}

export const echo = (
	session: ClientHttp2Session,
	headers: Record<string, string | string[]> = {},
	note: Uint8Array = Buffer.alloc(0)
) => answerTo(session, ECHO, { headers, body: framed(note) });
