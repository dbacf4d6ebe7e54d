/**
 * The operator's way in, for commands that run beside the system:
 *
 *     const { user } = await asOperator(["users"], call => call("users.create", { email, password, role: "admin" }));
 *
 * On the cluster profile such a command goes to the stores by itself, without Kafka and without any node. On the embedded profile only one process
 * may hold the data, so a running one does it: it listens on a socket in a directory that its user alone may enter, and DATA_DIR/operator says
 * where. One line of JSON each way: `{"action","params"}`, and `{"answer"}` or `{"error":{name,message,code,type,data}}`.
 */
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Errors, type Middleware, ServiceBroker } from "moleculer";
import { type Config, config } from "./config.ts";
import type { Caller } from "./define.ts";
import { DataDirError, takeDataDir } from "./mixins/database/data-dir.ts";
import { unavailable } from "./mixins/errors.ts";
import { visit } from "./profile.ts";
import { actions, carriedBy, type ServiceName } from "./services/contract.ts";
import { ContractValidator } from "./validator.ts";

/** A process that holds the data and lets nobody in yet is about to, or about to end. */
const DOOR_WITHIN_MS = 30_000;
const LOOK_AGAIN_AFTER_MS = 200;

const noteIn = (dataDir: string) => join(dataDir, "operator");
const read = (file: string) => {
	try {
		return readFileSync(file, "utf8");
	} catch {
		return "";
	}
};

const firstLine = (socket: Socket) =>
	new Promise<string>((resolve, reject) => {
		let text = "";
		socket.setEncoding("utf8").on("data", part => {
			text += part;
			if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
		});
		socket.on("error", reject).on("close", () => reject(unavailable("Plaza")));
	});

async function answerTo(broker: ServiceBroker, line: string) {
	try {
		const { action, params } = JSON.parse(line);
		broker.getLogger("OPERATOR").info("called", { action });
		return { answer: await broker.call(action, params) };
	} catch (error) {
		const { name, message, code, type, data } = error as Errors.MoleculerError;
		return { error: { name, message, code, type, data } };
	}
}

/** Forgets a door, and what a process that was killed has left of one. */
function remove(dataDir: string) {
	const path = read(noteIn(dataDir));
	rmSync(noteIn(dataDir), { force: true });
	if (!path || process.platform === "win32") return;
	rmSync(path, { force: true });
	try {
		rmdirSync(dirname(path));
	} catch {
		// Gone already, with whatever else was temporary.
	}
}

async function open(broker: ServiceBroker, dataDir: string) {
	remove(dataDir);
	// Made with 0700. Not in the data directory itself: the path of a socket may be no longer than about a hundred bytes.
	const dir = mkdtempSync(join(tmpdir(), "plaza-operator-"));
	const path = process.platform === "win32" ? `\\\\.\\pipe\\${basename(dir)}` : join(dir, "socket");
	const server = createServer(socket => {
		firstLine(socket)
			.then(line => answerTo(broker, line))
			.then(answer => socket.end(`${JSON.stringify(answer)}\n`))
			// Whoever hangs up has no answer.
			.catch(() => socket.destroy());
	});
	try {
		await once(server.listen(path), "listening");
		writeFileSync(noteIn(dataDir), path, { mode: 0o600 });
	} catch (error) {
		broker.logger.warn(`the operator cannot come in (${(error as Error).message}): commands work only while Plaza is stopped`);
	}
	return () => {
		server.close();
		remove(dataDir);
	};
}

/** Middleware: lets the operator in while the embedded system runs. */
export function operatorDoor({ profile, dataDir }: Pick<Config, "profile" | "dataDir">): Middleware {
	let close = () => {};
	return {
		name: "OperatorDoor",
		async started(broker: ServiceBroker) {
			if (profile === "embedded") close = await open(broker, dataDir);
		},
		async stopping() {
			close();
		}
	};
}

async function connectTo(path: string): Promise<Socket | undefined> {
	const socket = connect(path);
	return once(socket, "connect").then(
		() => socket,
		() => undefined
	);
}

const throughDoor =
	(path: string): Caller["call"] =>
	async (action, params) => {
		const socket = await connectTo(path);
		if (!socket) throw unavailable("Plaza");
		socket.write(`${JSON.stringify({ action, params })}\n`);
		const { answer, error } = JSON.parse(await firstLine(socket).finally(() => socket.destroy()));
		if (error)
			throw Object.assign(new Errors.MoleculerError(error.message, error.code, error.type, error.data), { name: error.name });
		return answer;
	};

/** The way into the process that holds the data; undefined if none does: then this one holds it now. Throws `DataDirError`. */
async function findDoor(dataDir: string): Promise<Caller["call"] | undefined> {
	const deadline = performance.now() + DOOR_WITHIN_MS;
	for (;;) {
		const path = read(noteIn(dataDir));
		const socket = path ? await connectTo(path) : undefined;
		socket?.destroy();
		if (socket) return throughDoor(path);
		try {
			takeDataDir(dataDir);
			return undefined;
		} catch (error) {
			const isHeld = error instanceof DataDirError && existsSync(join(dataDir, "lock"));
			if (!isHeld || performance.now() > deadline) throw error;
		}
		await delay(LOOK_AGAIN_AFTER_MS);
	}
}

async function inThisProcess<T>(services: readonly ServiceName[], work: (call: Caller["call"]) => Promise<T>): Promise<T> {
	visit();
	const broker = new ServiceBroker({
		logger: { type: "Console", options: { level: "warn" } },
		validator: new ContractValidator(actions),
		// Ctrl-C ends the command, and is no good end.
		skipProcessEventRegistration: true
	});
	for (const name of carriedBy(services)) broker.createService((await import(`./services/${name}/${name}.service.ts`)).default);
	await broker.start();
	return work(broker.call.bind(broker) as Caller["call"]).finally(() => broker.stop());
}

/**
 * Does some work with actions of these services, without anybody's token: in the embedded process that runs, or else in this one, where they answer
 * and do no other work. Rejects as the actions do; with `DataDirError` where the data is held by a process that lets nobody in.
 */
export async function asOperator<T>(services: readonly ServiceName[], work: (call: Caller["call"]) => Promise<T>): Promise<T> {
	const door = config.profile === "embedded" ? await findDoor(config.dataDir) : undefined;
	return door ? work(door) : inThisProcess(services, work);
}
