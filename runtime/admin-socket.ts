/**
 * The admin socket: commands of the same operating system user call actions of a running process, which alone may open its data directory.
 *
 *     export default { middlewares: [adminSocket("./data")] };                       // moleculer.config.ts
 *
 *     const call = await findAdminSocket("./data");                                  // another process
 *     const answer = await call?.("users.create", { email, password, role: "admin" });
 *
 * It is a Unix socket in a temporary directory with mode 0700 (on Windows a named pipe); the file `<dir>/operator`, mode 0600, holds its path.
 * A connection is one call, a line of JSON each way: `{"action","params","meta"}`, and `{"answer"}` or `{"error":{name,message,code,type,data}}`.
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

/** Removes the socket and its path file, also those that a killed process left. */
function remove(dir: string) {
	const path = pathIn(dir);
	rmSync(pathFileIn(dir), { force: true });
	if (!path || process.platform === "win32") return;
	rmSync(path, { force: true });
	try {
		rmdirSync(dirname(path));
	} catch {
		// The directory is gone already: the system may clean up its temporary files.
	}
}

async function open(broker: ServiceBroker, dir: string) {
	remove(dir);
	// mkdtemp creates it with mode 0700. Not in the data directory: the path of a Unix socket is limited to about 100 bytes.
	const own = mkdtempSync(join(tmpdir(), "operator-"));
	const path = process.platform === "win32" ? `\\\\.\\pipe\\${basename(own)}` : join(own, "socket");
	const server = createServer(socket => {
		firstLine(socket)
			.then(line => handleLine(broker, line))
			.then(answer => socket.end(`${JSON.stringify(answer)}\n`))
			// The client closed the connection before its call was read or answered.
			.catch(() => socket.destroy());
	});
	try {
		await once(server.listen(path), "listening");
		writeFileSync(pathFileIn(dir), path, { mode: 0o600 });
	} catch (error) {
		broker.logger.warn(
			`the admin socket cannot listen (${(error as Error).message}): commands that need the data directory work only while this process is stopped`
		);
	}
	return () => {
		server.close();
		remove(dir);
	};
}

/** Middleware: processes of the same user may call every action while the services run. `dir`: the data directory, which then names the socket. */
export function adminSocket(dir: string): Middleware {
	let close = () => {};
	return {
		name: "AdminSocket",
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

/** All users can write to the temporary directory: another user may have created a directory of this name after ours was removed. */
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

/** A function that calls actions of the process which uses this data directory; undefined if none listens. Calls reject with the action's error. */
export async function findAdminSocket(dir: string): Promise<Call | undefined> {
	const path = pathIn(dir);
	const socket = path && isOurs(path) ? await connectTo(path) : undefined;
	socket?.destroy();
	return socket && ((action, params, { meta } = {}) => callThrough(path, action, params, meta));
}
