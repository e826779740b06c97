export default function Page() {
  return <p>How to start</p>;
}
