// Redis from the system's packages, with its append-only file.
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
			// Its command line is what we know it by.
			"set-proc-title": "no"
		};
		return { file: "redis-server", args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]) };
	},
	async ready() {
		const client = new Redis({ host: "127.0.0.1", port, lazyConnect: true, connectTimeout: 2000, retryStrategy: () => null });
		client.on("error", () => {}); // Told by connect().
		try {
			await client.connect();
			await client.ping();
		} finally {
			client.disconnect();
		}
	}
};
