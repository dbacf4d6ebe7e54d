/**
 * Lets commands of the machine's own user into a running broker that holds its data alone.
 *
 *     export default { middlewares: [operatorDoor("./data")] };                    // moleculer.config.ts
 *
 *     const call = await findDoor("./data");                                         // another process
 *     const answer = await call?.("users.create", { email, password, role: "admin" });
 *
 * It is a Unix socket in a directory that nobody else may enter (on Windows a named pipe), and `<dir>/operator`, which nobody else may read, says
 * where. A connection is one call, a line of JSON each way: `{"action","params","meta"}`, and `{"answer"}` or `{"error":{name,message,code,type,data}}`.
 */
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { Errors, type Middleware, type ServiceBroker } from "moleculer";
import { unavailable } from "../mixins/errors.ts";

const pathFileIn = (dir: string) => join(dir, "operator");
const pathIn = (dir: string) => {
	try {
		return readFileSync(pathFileIn(dir), "utf8");
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
		socket.on("error", reject).on("close", () => reject(unavailable("the running process")));
	});

async function handleLine(broker: ServiceBroker, line: string) {
	try {
		const { action, params, meta } = JSON.parse(line);
		broker.getLogger("OPERATOR").info("called", { action });
		return { answer: await broker.call(action, params, { meta }) };
	} catch (error) {
		const { name, message, code, type, data } = error as Errors.MoleculerError;
		return { error: { name, message, code, type, data } };
	}
}

/** Takes a door away, and what a process that was killed has left of one. */
function remove(dir: string) {
	const path = pathIn(dir);
	rmSync(pathFileIn(dir), { force: true });
	if (!path || process.platform === "win32") return;
	rmSync(path, { force: true });
	try {
		rmdirSync(dirname(path));
	} catch {
		// Gone already, with whatever else was temporary.
	}
}

async function open(broker: ServiceBroker, dir: string) {
	remove(dir);
	// Made with 0700. Not in the data's directory itself: the path of a socket may be no longer than about a hundred bytes.
	const own = mkdtempSync(join(tmpdir(), "operator-"));
	const path = process.platform === "win32" ? `\\\\.\\pipe\\${basename(own)}` : join(own, "socket");
	const server = createServer(socket => {
		firstLine(socket)
			.then(line => handleLine(broker, line))
			.then(answer => socket.end(`${JSON.stringify(answer)}\n`))
			// Whoever hangs up has no answer.
			.catch(() => socket.destroy());
	});
	try {
		await once(server.listen(path), "listening");
		writeFileSync(pathFileIn(dir), path, { mode: 0o600 });
	} catch (error) {
		broker.logger.warn(
			`the operator cannot come in (${(error as Error).message}): stop this process for commands that need its data`
		);
	}
	return () => {
		server.close();
		remove(dir);
	};
}

/** Middleware: whoever may read `dir` as this process's user may call any action, from when all services have started until they stop. */
export function adminSocket(dir: string): Middleware {
	let close = () => {};
	return {
		name: "OperatorDoor",
		async started(broker: ServiceBroker) {
			close = await open(broker, dir);
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

async function callThrough(path: string, action: string, params: object, meta?: object): Promise<unknown> {
	const socket = await connectTo(path);
	if (!socket) throw unavailable("the running process");
	socket.write(`${JSON.stringify({ action, params, meta })}\n`);
	const { answer, error } = JSON.parse(await firstLine(socket).finally(() => socket.destroy()));
	if (error)
		throw Object.assign(new Errors.MoleculerError(error.message, error.code, error.type, error.data), { name: error.name });
	return answer;
}

/** A directory for temporary files is everybody's: what stood there may be gone, and somebody else's now. */
function isOurs(path: string): boolean {
	if (process.platform === "win32") return true;
	try {
		const { uid, mode } = statSync(dirname(path));
		return uid === process.getuid?.() && (mode & 0o077) === 0;
	} catch {
		return false;
	}
}

type Call = (action: string, params: object, options?: { meta?: object }) => Promise<unknown>;

/** How to call the process that holds this directory; undefined if none lets anybody in. Calls reject as they do there. */
export async function findAdminSocket(dir: string): Promise<Call | undefined> {
	const path = pathIn(dir);
	const socket = path && isOurs(path) ? await connectTo(path) : undefined;
	socket?.destroy();
	return socket && ((action, params, { meta } = {}) => callThrough(path, action, params, meta));
}
