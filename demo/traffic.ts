/**
 * Simulates buyers through the public API for a while, so that the pages change; with `--admin` also an admin.
 *
 *     npm run demo:traffic -- --seconds 60 [--buyers 5] [--url http://localhost:8080] [--admin admin@example.org]
 *
 * The admin's password is DEMO_ADMIN_PASSWORD. It ends after `--seconds` and prints what was done.
 */
import { parseArgs } from "node:util";
import { exitWithError, exitWithUsage } from "../runtime/exit-with-error.ts";
import { printHelpIfAsked } from "../runtime/help.ts";
import { openClient } from "./client.ts";
import { playAdmin, playBuyer } from "./players.ts";

const USAGE = "Usage: npm run demo:traffic -- --seconds 60 [--buyers 5] [--url http://localhost:8080] [--admin ADDRESS]";
printHelpIfAsked(`${USAGE}

Simulates buyers through the public API, so that the pages change; with --admin also an admin, whose password is DEMO_ADMIN_PASSWORD.`);

const MAX_BUYERS = 1_000;
const MAX_SECONDS = 24 * 60 * 60;

function readArguments() {
	try {
		const { seconds, buyers, url, admin } = parseArgs({
			options: {
				seconds: { type: "string", default: "60" },
				buyers: { type: "string", default: "5" },
				url: { type: "string", default: "http://localhost:8080" },
				admin: { type: "string" }
			}
		}).values;
		const whole = (text: string, most: number) => /^\d+$/.test(text) && Number(text) > 0 && Number(text) <= most;
		if (whole(seconds, MAX_SECONDS) && whole(buyers, MAX_BUYERS) && URL.canParse(url))
			return { seconds: Number(seconds), buyers: Number(buyers), url, admin };
	} catch {
		// An unknown option.
	}
	return exitWithUsage(USAGE);
}

const { seconds, buyers, url, admin } = readArguments();
const password = process.env.DEMO_ADMIN_PASSWORD;
if (admin !== undefined && !password) exitWithError("DEMO_ADMIN_PASSWORD is missing: it is the password of --admin");

const done = new Map<string, number>();
const count = (what: string) => done.set(what, (done.get(what) ?? 0) + 1);

try {
	const signal = AbortSignal.timeout(seconds * 1_000);
	const stage = () => ({ client: openClient(url, signal), signal, count });
	const adminStage = stage();
	if (admin !== undefined) {
		const { status, json } = await adminStage.client.signIn({ email: admin, password: password! });
		if (status >= 300) exitWithError(`${admin} cannot sign in (${json?.message ?? status})`);
		if (json.user.role !== "admin") exitWithError(`${admin} does not have the admin role`);
	}
	console.log(`${buyers} buyers${admin ? " and an admin" : ""} at ${url} for ${seconds} s`);
	const playing = Array.from({ length: buyers }, () => playBuyer(stage()));
	await Promise.all(admin ? [...playing, playAdmin(adminStage)] : playing);
	for (const [what, often] of [...done].sort(([one], [other]) => one.localeCompare(other)))
		console.log(`${String(often).padStart(6)}  ${what}`);
} catch (error) {
	const { message, cause } = error as Error & { cause?: { code?: string; message: string } };
	exitWithError(`${url} does not answer (${cause?.code ?? cause?.message ?? message}): is Plaza running there?`);
}
