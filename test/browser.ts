// The machine's own Chromium, driven by playwright-core: `CHROMIUM` says where it is, if it is not where Debian puts it.
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Why there can be no browser tests, in one line; undefined where there can. */
export const noBrowser = existsSync(executablePath)
	? undefined
	: `no browser at ${executablePath}: install Chromium, or say where it is with CHROMIUM`;

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
