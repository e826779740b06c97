import { fileURLToPath } from "node:url";

export default {
  // Not the folder of another lock file above this one.
  turbopack: { root: fileURLToPath(new URL(".", import.meta.url)) },
};
