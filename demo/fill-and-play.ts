// What `npm run demo` does with a running system.
import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { printError } from "../runtime/exit-with-error.ts";
import { asOperator } from "../runtime/operator.ts";
import { openClient } from "./client.ts";
import { ensureAccount, FILLED, fill } from "./fill.ts";
import { playAdmin, playBuyer } from "./players.ts";

const ADMIN = "admin@example.org";
const BUYERS = 3;
const RETRY_MS = 1_000;

const randomPassword = () => randomBytes(15).toString("base64url");

/** Repeats a player that fails, for example because the system did not answer for a while, until `signal` is aborted. */
async function keepPlaying(signal: AbortSignal, play: () => Promise<void>) {
	while (!signal.aborted) {
		await play().catch(error => {
			if (!signal.aborted) printError(`demo: a simulated user failed (${(error as Error).message}); starting another one`);
		});
		await delay(RETRY_MS, undefined, { signal }).catch(() => {});
	}
}

/**
 * Fills the system at `url`, prints the admin's address and password if it creates that account, and simulates buyers and an admin until `signal` is aborted.
 * Rejects if the system cannot be filled.
 */
export async function fillAndPlay(url: string, signal: AbortSignal): Promise<void> {
	const stage = () => ({ client: openClient(url, signal), signal, count() {} });
	const playing = Array.from({ length: BUYERS }, () => keepPlaying(signal, () => playBuyer(stage())));

	// The simulated admin has an account of its own, a new one in every run: the password of the printed admin is not stored.
	const player = { email: `${randomUUID()}@demo.example.org`, password: randomPassword() };
	await asOperator(FILLED, async call => {
		const password = randomPassword();
		const { isNew } = await ensureAccount(call, ADMIN, "Demo admin", "admin", () => password);
		if (isNew) console.log(`Created the admin ${ADMIN} with the password ${password} (it is not shown again)`);
		const { user } = await call("users.create", { ...player, name: "Simulated admin", role: "admin" });
		await fill(call, user);
	});
	const playAsAdmin = async () => {
		const adminStage = stage();
		await adminStage.client.signIn(player);
		await playAdmin(adminStage);
	};
	await Promise.all([...playing, keepPlaying(signal, playAsAdmin)]);
}
