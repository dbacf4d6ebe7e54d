// An application of its own that has nothing of Plaza but the installed package: topics, outbox and gRPC keep their promises over kill -9.
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { freePorts, type SystemProcess, startProcess } from "../process.ts";
import { type DepotClient, depotClient } from "./depot.client.ts";
import type { Installation } from "./installation.ts";

const application = join(import.meta.dirname, "app");
const START_MS = 120_000;
const SETTLED_MS = 120_000;
const CUSTOMERS = ["ann", "bob", "cleo"];
const PARCELS = Array.from({ length: 60 }, (_, n) => ({
	id: `parcel-${String(n).padStart(2, "0")}`,
	customer: CUSTOMERS[n % CUSTOMERS.length] as string,
	// More than a 32-bit number holds.
	weight_grams: String(5_000_000_000 + n)
}));
const gramsOf = (parcels: typeof PARCELS) => String(parcels.reduce((sum, { weight_grams }) => sum + BigInt(weight_grams), 0n));

/** Copies the application below the installed package and returns its folder. */
export function copyApplication({ folder }: Installation): string {
	const own = join(folder, "depot");
	cpSync(application, own, { recursive: true });
	return own;
}

export const applicationSuite = (where: string, folder: () => string, env: () => Record<string, string>) =>
	describe(`an application that installed the package, on ${where}`, () => {
		let client: DepotClient | undefined;
		let running: SystemProcess | undefined;
		after(async () => {
			client?.close();
			await running?.kill("SIGKILL");
		});

		/** Starts the application, and a client that has never met a closed port: it would wait before it connects again. */
		const start = async (pauseAt: string) => {
			const [port] = await freePorts(1);
			client?.close();
			running = startProcess("depot", { PORT: String(port), PAUSE_AT: pauseAt, ...env() }, { file: "main.ts", cwd: folder() });
			await running.waitForOutput(/^ready$/m, START_MS);
			client = depotClient(`127.0.0.1:${port}`, folder());
			return { process: running, client };
		};

		/** Sends the parcels that are not acknowledged yet, until the process no longer answers; returns those that it acknowledged. */
		const send = async (to: DepotClient, parcels: typeof PARCELS) => {
			const answers = await Promise.allSettled(parcels.map(parcel => to.accept(parcel)));
			return parcels.filter((_, n) => answers[n]?.status === "fulfilled");
		};

		it("loses nothing that it acknowledged, and has every effect once, when kill -9 ends it in the middle of handling", async () => {
			const acknowledged = new Set<(typeof PARCELS)[number]>();
			const missing = () => PARCELS.filter(parcel => !acknowledged.has(parcel));

			// Inside the transaction of an effect; after an effect is committed, before its message is acknowledged.
			for (const place of ["charging", "charged"]) {
				const { process, client } = await start(`${place} 7`);
				const sent = send(client, missing());
				await process.waitForOutput(new RegExp(`^paused at ${place}$`, "m"), SETTLED_MS);
				await process.kill("SIGKILL");
				for (const parcel of await sent) acknowledged.add(parcel);
			}
			const { process: last, client } = await start("");
			// What was not acknowledged is sent again under the same id: it may have been accepted all the same.
			for (const parcel of await send(client, missing())) acknowledged.add(parcel);
			assert.deepEqual(missing(), [], last.output());

			const deadlineMs = Date.now() + SETTLED_MS;
			while (!(await client.settled())) {
				assert.ok(Date.now() < deadlineMs, `not settled within ${SETTLED_MS} ms: ${last.output()}`);
				await delay(100);
			}
			for (const customer of CUSTOMERS) {
				const own = PARCELS.filter(parcel => parcel.customer === customer);
				assert.deepEqual(await client.bill(customer), { parcels: own.length, total_grams: gramsOf(own) });
				assert.deepEqual(
					await client.charges(customer),
					own.map(({ id, weight_grams }) => ({ parcel_id: id, weight_grams }))
				);
			}
			assert.match(last.output(), /^parcel-\d+ was charged before$/m, "no message was delivered again");
			assert.deepEqual(await last.kill("SIGTERM"), { code: 0, signal: null }, last.output());
		});
	});
