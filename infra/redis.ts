// Runs Redis from the system's packages, with its append-only file.
import { Redis } from "ioredis";
import { onPath, type Tool } from "./install.ts";
import type { Server } from "./server.ts";
import { ports } from "./settings.ts";

const port = ports.redis;
const server: Tool = { name: "Redis", package: "redis-server", found: () => onPath("redis-server") };

export const redis: Server = {
	name: "redis",
	port,
	tools: [server],
	async prepare(dir) {
		const settings = {
			bind: "127.0.0.1",
			port,
			dir,
			appendonly: "yes",
			save: "",
			// server.ts identifies a process by its command line, so Redis must not change it.
			"set-proc-title": "no"
		};
		return { file: "redis-server", args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]) };
	},
	async ready() {
		const client = new Redis({ host: "127.0.0.1", port, lazyConnect: true, connectTimeout: 2000, retryStrategy: () => null });
		client.on("error", () => {}); // connect() rejects with the same error.
		try {
			await client.connect();
			await client.ping();
		} finally {
			client.disconnect();
		}
	}
};
