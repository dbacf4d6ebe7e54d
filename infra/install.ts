// What the servers are made of: packages of the system, and jars from Maven Central.
import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { cacheDir } from "./settings.ts";

const run = promisify(execFile);

/** Something that a server cannot do without, and the Debian package that brings it. */
export interface Tool {
	name: string;
	package: string;
	found(): boolean;
}

export const onPath = (command: string) => (process.env.PATH ?? "").split(delimiter).some(dir => existsSync(join(dir, command)));

const javaMajor = () => {
	// "openjdk 17.0.15 2025-04-15". A Java that does not know the option is older than 9.
	const { stdout } = spawnSync("java", ["--version"], { encoding: "utf8" });
	return Number(/\s(\d+)/.exec(stdout ?? "")?.[1] ?? 0);
};

export const java: Tool = { name: "Java 17 or newer", package: "openjdk-17-jre-headless", found: () => javaMajor() >= 17 };
export const maven: Tool = { name: "Maven", package: "maven", found: () => onPath("mvn") };

/** Brings what is missing. Throws one line that says what could not be had. */
export async function install(needs: { tools: Tool[]; jars?: readonly string[] }[]): Promise<void> {
	await installPackages([...new Set(needs.flatMap(need => need.tools))]);
	// One after the other: Maven's local repository is not made for two at a time.
	for (const { jars } of needs) if (jars) await fetchJars(jars);
}

/** As root, by apt-get. */
async function installPackages(tools: Tool[]): Promise<void> {
	const missing = tools.filter(tool => !tool.found());
	if (missing.length === 0) return;
	const packages = missing.map(tool => tool.package);
	const names = missing.map(tool => tool.name).join(", ");
	if (process.getuid?.() !== 0 || !onPath("apt-get")) {
		throw new Error(`${names} not found: install it with the system's packages (Debian: apt-get install ${packages.join(" ")})`);
	}
	console.log(`installing ${packages.join(" ")} for ${names}`);
	// The packages of Postgres and Redis would start servers of their own on the ports that ours want.
	mkdirSync("/etc/postgresql-common/createcluster.d", { recursive: true });
	writeFileSync("/etc/postgresql-common/createcluster.d/no-main.conf", "create_main_cluster = false\n");
	const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
	await run("apt-get", ["update"], { env });
	await run("apt-get", ["install", "-y", "--no-install-recommends", ...packages], { env, maxBuffer: 1 << 26 });
	const still = missing.filter(tool => !tool.found());
	if (still.length > 0) throw new Error(`${still.map(tool => tool.name).join(", ")} not found although apt-get installed it`);
}

/** The directory with the jars of one server. `coordinates`: `group:artifact:version`, the server's own first. */
export function jarsDir([own]: readonly string[]): string {
	const [, artifact, version] = own!.split(":");
	return join(cacheDir, `${artifact}-${version}`);
}

/** Fetches a server's jars, with all that they need, from Maven Central; once. */
async function fetchJars(coordinates: readonly string[]): Promise<void> {
	const dir = jarsDir(coordinates);
	if (existsSync(dir)) return;
	const partial = `${dir}.partial`;
	const pom = `${dir}.pom.xml`;
	rmSync(partial, { recursive: true, force: true });
	mkdirSync(cacheDir, { recursive: true });
	writeFileSync(pom, pomOf(coordinates));
	console.log(`fetching ${coordinates.join(" and ")} from Maven Central`);
	const goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
	await run("mvn", ["-B", "-q", "-f", pom, goal, "-DincludeScope=runtime", `-DoutputDirectory=${partial}`], {
		maxBuffer: 1 << 26
	});
	renameSync(partial, dir);
}

const pomOf = (coordinates: readonly string[]) => `<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>plaza</groupId><artifactId>infra</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${coordinates
	.map(one => one.split(":"))
	.map(
		([group, artifact, version]) =>
			`<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`
	)
	.join("")}</dependencies>
</project>
`;
