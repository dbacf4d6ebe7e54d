/** The most common passwords of at least ten characters, from public statistics of leaked passwords; shorter ones are rejected for their length. */
export const COMMON_PASSWORDS: ReadonlySet<string> = new Set(
	`1234567890 12345678910 0123456789 0987654321 1234512345 123456789a a123456789 123123123123 1111111111 0000000000 1q2w3e4r5t 1q2w3e4r5t6y
	1qaz2wsx3edc qwertyuiop qwertyuiop123 qwerty12345 qwerty123456 qwerty1234 q1w2e3r4t5 q1w2e3r4t5y6 asdfghjkl; asdfghjkl1 zxcvbnm123 password12
	password123 password1234 password12345 password123456 password1! passw0rd123 p@ssw0rd123 p@ssword123 p@ssw0rd12 mypassword mypassword1 newpassword
	yourpassword passwordpassword changeme123 changeme12 welcome123 welcome1234 welcome12345 administrator admin12345 admin123456 adminadmin
	letmein123 letmein1234 iloveyou12 iloveyou123 iloveyou1234 iloveyou2 iloveyousomuch ilovemyself iloveyouforever sunshine12 sunshine123
	princess12 princess123 football12 football123 baseball12 baseball123 basketball superman123 batman12345 michael123 jennifer12 charlie123
	monkey12345 dragon12345 master12345 shadow12345 computer123 internet123 whatever123 starwars123 liverpool1 liverpool123 manchester chocolate1
	chocolate123 butterfly1 butterfly123 strawberry watermelon cheesecake snowflake1 blackberry masterpiece motherfucker fuckyou123 fuckyou1234
	1234567891 12345678901 123456789q 123456789z 123456789k 123456789abc abc1234567 abcd123456 abcdefghij abcdefg123 abc123abc123 aaaaaaaaaa
	qazwsxedcrfv qazwsx123456 qweasdzxc123 qweasdzxcv 1a2b3c4d5e a1b2c3d4e5 a1s2d3f4g5 zaq12wsxcde3 zaq1xsw2cde3 159357456258 147258369a 1472583690
	7894561230 9876543210 98765432100 1029384756 5555555555 9999999999 8888888888 7777777777 6666666666 1010101010 1212121212 1122334455 112233445566
	11223344556677 1231231234 1234554321 12344321123 1357924680 2468101214 3141592653 31415926535 test123456 test1234567 testtest123 testing123 testing1234
	guest12345 secret1234 secret12345 default123 default1234 temp123456 temporary1 qwertyqwerty samsung123 pokemon123 minecraft1 minecraft123 playstation
	playstation3 hellokitty hello12345 hello123456 helloworld helloworld1 trustno1234 correcthorsebatterystaple`.split(/\s+/)
);
