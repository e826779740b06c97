export default function Page() {
  return <p>Who are you?</p>;
}
