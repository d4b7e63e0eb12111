. "$(dirname "$0")/common.sh"
# A runtime of jlink's, a jar, and a native library that the program loads by its path.
cat >Hello.java <<END
public class Hello {
  static native int answer();
  public static void main(String[] arguments) {
    System.load(arguments[0]);
    System.out.println(System.getProperty("java.home").startsWith(System.getenv("MEMARCHIVE_ROOT")) + " " + answer());
  }
}
END
javac -d . Hello.java
echo 'int Java_Hello_answer(void *environment, void *type) { return 42; }' |
  gcc -shared -fPIC -x c - -o libhello.so
jlink --add-modules java.base --strip-debug --no-header-files --no-man-pages --output runtime
tar -cf java.tar runtime Hello.class libhello.so
rm -r runtime Hello.class libhello.so
"$MA" run java.tar --tree -- '{runtime/bin/java}' -Xshare:auto -cp '{.}' Hello '{libhello.so}'
