// Starts the machine's own Chromium with playwright-core. Environment variable `CHROMIUM`: its path, if it is not /usr/bin/chromium.
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** The reason why browser tests must be skipped; undefined if Chromium was found. */
export const noBrowser = existsSync(executablePath)
	? undefined
	: `no browser at ${executablePath}: install Chromium, or set CHROMIUM to its path`;

export const openBrowser = (): Promise<Browser> =>
	chromium.launch({
		executablePath,
		args: [
			"--headless",
			"--no-sandbox",
			"--disable-gpu",
			"--disable-quic",
			"--no-first-run",
			"--disable-background-networking",
			"--disable-component-update",
			"--disable-sync"
		]
	});
