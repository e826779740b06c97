// What this package uses of Next, which is not among its own packages.
declare module "next/headers.js" {
  export function headers(): Promise<Headers>;
}
declare module "next/server.js" {
  export const NextResponse: { next(): Response };
}
